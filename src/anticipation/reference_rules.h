// The reference sampler's own rules where ours differ, so that its outputs can be reproduced exactly. Behind the
// `reference` switch only; docs/deviations.md says what we do instead and why.
#pragma once

#include "sampling/logit_processor.h"

namespace midinf {

/// REST may be drawn in every slot; once 15 distinct instruments stand in the history (REST counts as one), no other
/// may be drawn. Sees the whole history, so context.history must be all of it.
/// Source: anticipation/sample.py@af37397 safe_logits, instr_logits.
class ReferenceRules : public LogitProcessor {
 public:
  void narrow(const StepContext& context, RowRanges& allowed) const override;
};

/// The ids that the chain starts from in the reference: slot_rows, and REST everywhere.
RowRanges reference_slot_rows(Slot slot);

}  // namespace midinf
