// A processor of C as one of ours.
// Must not know: settings, streams. Read next: sampling/logit_processor.h.
#pragma once

#include "midinfinite/midinfinite.h"
#include "sampling/logit_processor.h"

namespace midinf {

/// Hands the ids out one by one, and overrules a callback that leaves nothing. The callbacks must not throw.
class CallbackProcessor : public LogitProcessor {
 public:
  explicit CallbackProcessor(const midinf_processor& callbacks) : callbacks_(callbacks) {}
  void narrow(const StepContext& context, RowRanges& allowed) const override;
  void edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const override;
  [[nodiscard]] const midinf_processor& callbacks() const { return callbacks_; }

 private:
  midinf_processor callbacks_;
};

}  // namespace midinf
