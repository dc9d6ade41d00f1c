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
  // Mostly few of many thousands: those that a filter left. Kept between calls for its memory only.
  thread_local std::vector<std::uint32_t> kept;
  if (kept.size() < logits.size()) kept.resize(logits.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    kept[count] = static_cast<std::uint32_t>(i);
    count += logits[i] > -std::numeric_limits<float>::infinity() ? 1 : 0;
  }
  const auto possible = std::span(kept).first(count);
  const auto weight_of = [&](std::uint32_t i) { return std::exp(logits[i] - highest); };
  double total = 0;
  for (const std::uint32_t i : possible) total += weight_of(i);
  const double target = u * total;
  double sum = 0;
  std::uint32_t last_possible = 0;
  for (const std::uint32_t i : possible) {
    const double weight = weight_of(i);
    if (weight == 0) continue;
    sum += weight;
    last_possible = i;
    if (sum > target) break;
  }
  return static_cast<int>(last_possible);
}

}  // namespace midinf
