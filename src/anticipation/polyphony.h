// How many notes sound at once.
// Read next: slot_grammar.h, the other rule about when an event may begin.
#pragma once

#include "sampling/logit_processor.h"

namespace midinf {

/// Narrows the onset: no event begins before fewer than `most` notes of the history sound. A note sounds from its onset
/// for its duration, at least one step of 10 ms; RESTs and controls do not count. RESTs wait too: at its onset no one
/// knows what an event will be.
class Polyphony : public LogitProcessor {
 public:
  /// Precondition: most >= 1.
  explicit Polyphony(int most) : most_(most) {}
  void narrow(const StepContext& context, RowRanges& allowed) const override;

 private:
  int most_;
};

}  // namespace midinf
