// Against notes that keep coming back, or for them.
// Read next: density.h.
#pragma once

#include "sampling/logit_processor.h"

namespace midinf {

/// Takes `penalty` from the logit of a note (instrument and pitch) for each time that it stands in the window. Onsets,
/// durations and REST are left alone.
class FrequencyPenalty : public LogitProcessor {
 public:
  /// Precondition: finite.
  explicit FrequencyPenalty(double penalty) : penalty_(penalty) {}
  void edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const override;

 private:
  double penalty_;
};

}  // namespace midinf
