// Cutting work into shares. Read next: model/network.cc, model/forward.cc.
#pragma once

#include <algorithm>
#include <cstdint>

namespace midinf {

/// Indices begin..end-1.
struct IndexRange {
  int begin = 0;
  int end = 0;
  [[nodiscard]] constexpr int size() const { return end - begin; }
};

/// The part of 0..count-1 that share `i` of `shares` has, cut at multiples of `multiple`.
constexpr IndexRange share(int count, int multiple, int i, int shares) {
  const int units = (count + multiple - 1) / multiple;
  const auto cut = [&](int k) {
    return std::min(count, static_cast<int>(std::int64_t{units} * k / shares) * multiple);
  };
  return {cut(i), cut(i + 1)};
}

}  // namespace midinf
