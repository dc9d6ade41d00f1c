#include "sampling/draw.h"

#include <cmath>

#include "base/result.h"
#include "sampling/logits.h"

namespace midinf {

int draw(std::span<const float> logits, double u) {
  MIDINF_ASSERT(!logits.empty());
  const double highest = highest_of(logits);
  MIDINF_ASSERT(std::isfinite(highest));
  const auto weight_of = [highest](float logit) { return std::isinf(logit) ? 0.0 : std::exp(logit - highest); };
  double total = 0;
  for (const float logit : logits) total += weight_of(logit);
  const double target = u * total;
  double sum = 0;
  int last_possible = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double weight = weight_of(logits[i]);
    if (weight == 0) continue;
    sum += weight;
    last_possible = static_cast<int>(i);
    if (sum > target) break;
  }
  return last_possible;
}

}  // namespace midinf
