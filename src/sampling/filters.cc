#include "sampling/filters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "sampling/logits.h"

namespace midinf {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

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
  thread_local std::vector<float> weights;  // kept: a fresh one would be thousands of numbers for each id drawn
  weights.resize(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) weights[i] = exp_below_zero(logits[i] - highest);
  std::array<double, 8> sums{};
  for (std::size_t i = 0; i < weights.size(); ++i) sums[i % sums.size()] += weights[i];
  const double total = std::accumulate(sums.begin(), sums.end(), 0.0);

  // Ids below this bound could not reach 1 - p even all together, so the nucleus ends before them: they need no
  // sorting.
  const double bound = total * (1.0 - p_) / static_cast<double>(logits.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (weights[i] >= bound)
      order.push_back(i);
    else
      logits[i] = kForbidden;
  // A heap gives the most probable first, the lower id of equals, and sorts no more of them than the nucleus has.
  const auto later = [&](std::size_t a, std::size_t b) {
    return logits[a] != logits[b] ? logits[a] < logits[b] : a > b;
  };
  std::make_heap(order.begin(), order.end(), later);
  for (double before = 0; !order.empty() && before <= p_ * total; order.pop_back()) {
    std::pop_heap(order.begin(), order.end(), later);
    before += weights[order.back()];
  }
  for (const std::size_t i : order) logits[i] = kForbidden;
}

void MinP::edit(const StepContext&, const RowRanges&, std::span<float> logits) const {
  if (share_ <= 0.0 || logits.empty()) return;
  const double lowest = highest_of(logits) + std::log(share_);
  for (float& logit : logits)
    if (logit < lowest) logit = kForbidden;
}

}  // namespace midinf
