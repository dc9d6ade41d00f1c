// What sampling asks of thousands of logits at once, written so that compilers put many side by side.
// Read next: filters.cc, draw.cc.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace midinf {

/// The highest of `logits`, -infinity of none. Precondition: none is NaN.
inline float highest_of(std::span<const float> logits) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> lanes;
  lanes.fill(-std::numeric_limits<float>::infinity());
  std::size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = lanes[lane] < logits[i + lane] ? logits[i + lane] : lanes[lane];
  for (; i < logits.size(); ++i) lanes[0] = std::max(lanes[0], logits[i]);
  return *std::max_element(lanes.begin(), lanes.end());
}

/// The sum of `values`, in an order that does not depend on the compiler.
inline double sum_of(std::span<const float> values) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += values[i + lane];
  for (std::size_t lane = 0; i < values.size(); ++i, ++lane) lanes[lane] += values[i];
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

/// Those below `count` of which keep() is true, in order, at the front of `kept`; says how many. It takes no branch
/// that a processor could guess wrong. Precondition: kept has `count` places.
template <class Keep>
std::size_t indices_where(std::size_t count, Keep keep, std::span<std::uint32_t> kept) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    kept[found] = static_cast<std::uint32_t>(i);
    found += keep(i) ? 1 : 0;
  }
  return found;
}

/// Whether all are numbers, and finite: damaged weights, or absurd ones, make others, of which nothing can be drawn.
inline bool all_finite(std::span<const float> logits) {
  std::uint32_t largest = 0;  // of the bits without the sign: infinity's, and beyond them those that are no number
  for (const float logit : logits) largest = std::max(largest, std::bit_cast<std::uint32_t>(logit) << 1);
  return largest < 0xFF000000U;
}

/// e^x for x <= 0, off by at most (3 + |x|) / 10^7 of it; the same bits from every compiler. Below -87 it stays as at
/// -87.
inline float exp_below_zero(float x) {
  const float exponent = (x > -87.0F ? x : -87.0F) * 1.44269504F;
  const auto whole = static_cast<std::int32_t>(exponent - 0.5F);
  const float y = (exponent - static_cast<float>(whole)) * 0.693147181F;  // at most 0.35 from 0
  const float p = 1.0F + y * (1.0F + y * (1.0F / 2 + y * (1.0F / 6 + y * (1.0F / 24 + y * (1.0F / 120 + y / 720)))));
  return p * std::bit_cast<float>((whole + 127) << 23);
}

}  // namespace midinf
