// How many notes begin within a second. Read next: polyphony.h, the same for how many sound at once.
#pragma once

#include "sampling/logit_processor.h"

namespace midinf {

/// Narrows the onset: no event begins less than a second after the latest `most` notes of the history began. RESTs and
/// controls do not count, but wait too: at its onset no one knows what an event will be.
class Pace : public LogitProcessor {
 public:
  /// Precondition: most >= 1.
  explicit Pace(int most) : most_(most) {}
  void narrow(const StepContext& context, RowRanges& allowed) const override;

 private:
  int most_;
};

}  // namespace midinf
