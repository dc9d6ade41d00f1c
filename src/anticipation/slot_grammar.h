// What may stand where in a triplet, and that music does not go back in time.
// Must not know: networks. Read next: ensemble.h (a second rule over the same ranges), window.h.
#pragma once

#include "sampling/logit_processor.h"

namespace midinf {

/// The ids that a slot can hold at all: an onset, a duration, or a note or REST; never a control or a special id. This
/// is the set that the chain of processors starts from.
RowRanges slot_rows(Slot slot);

/// No onset before `now`, and with no history none but `now`: a row of training that begins in the middle of a piece is
/// re-based to its first event. REST only as a note (the reference lets it be drawn in every slot, see
/// docs/deviations.md). Source: anticipation/sample.py@af37397 safe_logits, future_logits.
class SlotGrammar : public LogitProcessor {
 public:
  void narrow(const StepContext& context, RowRanges& allowed) const override;
};

}  // namespace midinf
