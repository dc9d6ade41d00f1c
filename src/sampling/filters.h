// Filters that know nothing of music: temperature, top-k, nucleus (top-p) and min-p.
// Read next: draw.h.
#pragma once

#include "sampling/logit_processor.h"

namespace midinf {

/// Divides the logits by `temperature`; below 1e-6 only the top id stays (the lowest of equals).
class Temperature : public LogitProcessor {
 public:
  explicit Temperature(double temperature) : temperature_(temperature) {}
  void edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const override;

 private:
  double temperature_;
};

/// Keeps the `k` likeliest ids; of equals the lower ones. k = 0 keeps all.
class TopK : public LogitProcessor {
 public:
  explicit TopK(int k) : k_(k) {}
  void edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const override;

 private:
  int k_;
};

/// Nucleus sampling: an id goes when the probability before it, most probable first, already exceeds p; the top id
/// always stays, so p = 0 is greedy and p = 1 keeps all. Source: anticipation/sample.py@af37397 nucleus.
class TopP : public LogitProcessor {
 public:
  explicit TopP(double p) : p_(p) {}
  void edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const override;

 private:
  double p_;
};

/// Drops the ids less likely than `share` of the likeliest: 0 keeps all, 1 only those as likely as it.
class MinP : public LogitProcessor {
 public:
  explicit MinP(double share) : share_(share) {}
  void edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const override;

 private:
  double share_;
};

}  // namespace midinf
