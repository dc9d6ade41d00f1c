#include "base/row_ranges.h"

#include <algorithm>

#include "base/result.h"

namespace midinf {

RowRanges::RowRanges(std::initializer_list<RowRange> ranges) {
  for (const RowRange& range : ranges) add(range);
}

int RowRanges::size() const {
  int total = 0;
  for (const RowRange& range : ranges_) total += range.size();
  return total;
}

TokenId RowRanges::id_at(int index) const {
  for (const RowRange& range : ranges_) {
    if (index < range.size()) return range.begin + index;
    index -= range.size();
  }
  MIDINF_ASSERT(false && "index beyond the row ranges");
  return 0;
}

int RowRanges::index_of(TokenId id) const {
  int before = 0;
  for (const RowRange& range : ranges_) {
    if (id < range.begin) return -1;
    if (id < range.end) return before + (id - range.begin);
    before += range.size();
  }
  return -1;
}

void RowRanges::add(RowRange range) {
  if (range.size() <= 0) return;
  if (ranges_.empty() || ranges_.back().end < range.begin) return ranges_.push_back(range);  // the usual order
  const auto first =
      std::find_if(ranges_.begin(), ranges_.end(), [&](const RowRange& r) { return r.end >= range.begin; });
  auto last = first;
  for (; last != ranges_.end() && last->begin <= range.end; ++last) {
    range.begin = std::min(range.begin, last->begin);
    range.end = std::max(range.end, last->end);
  }
  ranges_.insert(ranges_.erase(first, last), range);
}

void RowRanges::unite(const RowRanges& other) {
  if (*this == other) return;
  RowRanges both;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() || b != other.ranges_.end()) {
    const bool first = b == other.ranges_.end() || (a != ranges_.end() && a->begin <= b->begin);
    const RowRange next = first ? *a++ : *b++;
    if (both.empty() || both.ranges_.back().end < next.begin)
      both.ranges_.push_back(next);
    else
      both.ranges_.back().end = std::max(both.ranges_.back().end, next.end);
  }
  ranges_ = std::move(both.ranges_);
}

void RowRanges::intersect(const RowRanges& other) {
  std::vector<RowRange> kept;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const RowRange both{std::max(a->begin, b->begin), std::min(a->end, b->end)};
    if (both.size() > 0) kept.push_back(both);
    (a->end < b->end) ? static_cast<void>(++a) : static_cast<void>(++b);
  }
  ranges_ = std::move(kept);
}

void RowRanges::remove(RowRange range) {
  if (range.size() <= 0) return;
  std::vector<RowRange> kept;
  for (const RowRange& r : ranges_) {
    const RowRange left{r.begin, std::min(r.end, range.begin)};
    const RowRange right{std::max(r.begin, range.end), r.end};
    if (left.size() > 0) kept.push_back(left);
    if (right.size() > 0) kept.push_back(right);
  }
  ranges_ = std::move(kept);
}

}  // namespace midinf
