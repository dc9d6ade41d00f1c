#include "sampling/filters.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

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

void TopP::edit(const StepContext&, const RowRanges&, std::span<float> logits) const {
  if (p_ >= 1.0 || logits.empty()) return;
  if (p_ <= 0.0) return keep_only_top(logits);
  const double highest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> probability(logits.size());
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) total += probability[i] = std::exp(logits[i] - highest);

  // Ids below this bound could not reach 1 - p even all together, so the nucleus ends before them: they need no
  // sorting.
  const double bound = total * (1.0 - p_) / static_cast<double>(logits.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (probability[i] >= bound)
      order.push_back(i);
    else
      logits[i] = kForbidden;
  // Most probable first, the lower id of equals. (std::stable_sort would do, but clang warns about libstdc++ 12's.)
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return probability[a] != probability[b] ? probability[a] > probability[b] : a < b;
  });
  double before = 0;
  for (const std::size_t i : order) {
    if (before > p_ * total) logits[i] = kForbidden;
    before += probability[i];
  }
}

}  // namespace midinf
