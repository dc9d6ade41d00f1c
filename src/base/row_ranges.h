// A set of vocabulary ids as a few ranges of rows: what the grammar allows, and all that the output head computes.
// Read next: sampling/logit_processor.h.
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include "base/token.h"

namespace midinf {

/// Ids begin..end-1.
struct RowRange {
  TokenId begin = 0;
  TokenId end = 0;

  [[nodiscard]] int size() const { return end - begin; }
  bool operator==(const RowRange&) const = default;
};

/// A sorted set of disjoint, non-empty, non-adjacent ranges. Logits computed for it are packed: the rows of the first
/// range, then those of the second, and so on; `id_at` and `index_of` go between the two numberings.
class RowRanges {
 public:
  RowRanges() = default;
  RowRanges(std::initializer_list<RowRange> ranges);

  [[nodiscard]] std::span<const RowRange> ranges() const { return ranges_; }
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  /// How many ids the set holds.
  [[nodiscard]] int size() const;
  [[nodiscard]] bool contains(TokenId id) const { return index_of(id) >= 0; }

  /// The id whose logit is the `index`-th packed one. Precondition: 0 <= index < size().
  [[nodiscard]] TokenId id_at(int index) const;
  /// The packed index of `id`, or -1 if the set does not hold it.
  [[nodiscard]] int index_of(TokenId id) const;

  void add(RowRange range);
  /// Takes in all ids of `other`.
  void unite(const RowRanges& other);
  /// Keeps only ids that `other` holds too.
  void intersect(const RowRanges& other);
  void remove(RowRange range);
  void clear() { ranges_.clear(); }

  bool operator==(const RowRanges&) const = default;

 private:
  std::vector<RowRange> ranges_;
};

}  // namespace midinf
