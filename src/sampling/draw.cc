#include "sampling/draw.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/result.h"
#include "sampling/logits.h"

namespace midinf {

int draw(std::span<const float> logits, double u) {
  MIDINF_ASSERT(!logits.empty());
  const double highest = highest_of(logits);
  MIDINF_ASSERT(std::isfinite(highest));
  // Mostly few of many thousands: those that a filter left. Kept between calls for their memory only.
  thread_local std::vector<std::uint32_t> kept;
  thread_local std::vector<double> weights;
  if (kept.size() < logits.size()) kept.resize(logits.size());
  const std::size_t count = indices_where(
      logits.size(), [&](std::size_t i) { return logits[i] > -std::numeric_limits<float>::infinity(); }, kept);
  weights.resize(count);
  double total = 0;
  for (std::size_t k = 0; k < count; ++k) total += weights[k] = std::exp(logits[kept[k]] - highest);
  const double target = u * total;
  double sum = 0;
  std::uint32_t last_possible = 0;
  for (std::size_t k = 0; k < count && sum <= target; ++k) {
    if (weights[k] == 0) continue;
    sum += weights[k];
    last_possible = kept[k];
  }
  return static_cast<int>(last_possible);
}

}  // namespace midinf
