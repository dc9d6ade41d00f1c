#include "sampling/filters.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "sampling/logits.h"

namespace midinf {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// The lowest float that is not below `bound`.
float at_least(double bound) {
  const auto nearest = static_cast<float>(bound);
  return nearest < bound ? std::nextafter(nearest, std::numeric_limits<float>::infinity()) : nearest;
}

void keep_only_top(std::span<float> logits) {
  const auto top = std::max_element(logits.begin(), logits.end());
  for (auto it = logits.begin(); it != logits.end(); ++it)
    if (it != top) *it = kForbidden;
}

}  // namespace

void Temperature::edit(const StepContext&, const RowRanges&, std::span<float> logits) const {
  if (temperature_ == 1.0 || logits.empty()) return;
  // So low that nothing but the top can be drawn anyway, and that dividing would leave the range of a float.
  if (temperature_ < 1e-6) return keep_only_top(logits);
  for (float& logit : logits) logit = static_cast<float>(logit / temperature_);
}

void TopK::edit(const StepContext&, const RowRanges&, std::span<float> logits) const {
  const auto k = static_cast<std::size_t>(k_);
  if (k_ <= 0 || k >= logits.size()) return;
  std::vector<float> sorted(logits.begin(), logits.end());
  const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(sorted.begin(), last, sorted.end(), std::greater<>());
  auto equals =
      static_cast<std::ptrdiff_t>(k) - std::count_if(sorted.begin(), last, [&](float logit) { return logit > *last; });
  for (float& logit : logits)
    if (logit < *last || (logit == *last && equals-- <= 0)) logit = kForbidden;
}

void TopP::edit(const StepContext&, const RowRanges&, std::span<float> logits) const {
  if (p_ >= 1.0 || logits.empty()) return;
  if (p_ <= 0.0) return keep_only_top(logits);
  const float highest = highest_of(logits);
  // Kept between calls for their memory only: fresh ones would be thousands of numbers for each id drawn.
  thread_local std::vector<float> kept_weights;
  thread_local std::vector<std::uint32_t> order;
  if (order.size() < logits.size()) {
    kept_weights.resize(logits.size());
    order.resize(logits.size());
  }
  const auto weights = std::span(kept_weights).first(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) weights[i] = exp_below_zero(logits[i] - highest);
  const double total = sum_of(weights);

  // Ids below this bound could not reach 1 - p even all together, so the nucleus ends before them: they need no
  // sorting.
  const float bound = at_least(total * (1.0 - p_) / static_cast<double>(logits.size()));
  const std::size_t candidates =
      indices_where(logits.size(), [&](std::size_t i) { return weights[i] >= bound; }, order);
  // A heap gives the most probable first, the lower id of equals, and sorts no more of them than the nucleus has.
  const auto later = [&](std::uint32_t a, std::uint32_t b) {
    return logits[a] != logits[b] ? logits[a] < logits[b] : a > b;
  };
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(candidates);
  auto nucleus = end;  // begins here
  std::make_heap(order.begin(), nucleus, later);
  for (double before = 0; nucleus != order.begin() && before <= p_ * total; before += weights[*nucleus])
    std::pop_heap(order.begin(), nucleus--, later);
  if (nucleus == end) return;
  const std::uint32_t last = *nucleus;
  const float lowest = logits[last];
  for (float& logit : logits) logit = logit < lowest ? kForbidden : logit;
  for (float& logit : logits.subspan(last + 1)) logit = logit == lowest ? kForbidden : logit;
}

void MinP::edit(const StepContext&, const RowRanges&, std::span<float> logits) const {
  if (share_ <= 0.0 || logits.empty()) return;
  const double lowest = highest_of(logits) + std::log(share_);
  for (float& logit : logits)
    if (logit < lowest) logit = kForbidden;
}

}  // namespace midinf
