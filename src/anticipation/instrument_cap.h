// How many instruments play.
// Read next: ensemble.h, which says who may; note_rows.h.
#pragma once

#include "sampling/logit_processor.h"

namespace midinf {

/// Narrows the note slot once `most` of the instruments that are allowed stand in the window: then only the `most` that
/// played last go on, and REST. An instrument that is no longer allowed does not count, so a new ensemble comes in at
/// once; nor do RESTs, separators and controls. After a lower cap the window still holds those that fell silent, until
/// it slides.
class InstrumentCap : public LogitProcessor {
 public:
  /// Precondition: most >= 1.
  explicit InstrumentCap(int most) : most_(most) {}
  void narrow(const StepContext& context, RowRanges& allowed) const override;

 private:
  int most_;
};

}  // namespace midinf
