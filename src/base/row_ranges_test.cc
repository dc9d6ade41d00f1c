#include "base/row_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <random>
#include <set>

namespace midinf {
namespace {

using testing::ElementsAre;

TEST(RowRanges, AnEmptySetHoldsNothing) {
  const RowRanges none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.size(), 0);
  EXPECT_FALSE(none.contains(0));
  EXPECT_EQ(none.index_of(0), -1);
}

TEST(RowRanges, EmptyAndReversedRangesAddAndRemoveNothing) {
  RowRanges set{{5, 5}, {9, 3}};
  EXPECT_TRUE(set.empty());
  set.add({1, 4});
  set.remove({2, 2});
  set.remove({3, 1});
  EXPECT_THAT(set.ranges(), ElementsAre(RowRange{1, 4}));
}

TEST(RowRanges, AdjacentAndOverlappingRangesBecomeOne) {
  EXPECT_THAT((RowRanges{{0, 5}, {5, 8}}).ranges(), ElementsAre(RowRange{0, 8}));
  EXPECT_THAT((RowRanges{{5, 8}, {0, 5}}).ranges(), ElementsAre(RowRange{0, 8}));
  EXPECT_THAT((RowRanges{{0, 2}, {4, 6}, {8, 10}, {1, 9}}).ranges(), ElementsAre(RowRange{0, 10}));
  EXPECT_THAT((RowRanges{{4, 6}, {0, 2}}).ranges(), ElementsAre(RowRange{0, 2}, RowRange{4, 6}));
}

TEST(RowRanges, RemovingTheMiddleSplitsARange) {
  RowRanges set{{0, 10}};
  set.remove({4, 6});
  EXPECT_THAT(set.ranges(), ElementsAre(RowRange{0, 4}, RowRange{6, 10}));
  set.remove({0, 4});
  EXPECT_THAT(set.ranges(), ElementsAre(RowRange{6, 10}));
  set.remove({-100, 100});
  EXPECT_TRUE(set.empty());
}

TEST(RowRanges, PackedIndicesCountOnlyTheRowsInTheSet) {
  const RowRanges set{{10, 12}, {100, 103}};
  EXPECT_EQ(set.size(), 5);
  EXPECT_EQ(set.id_at(0), 10);
  EXPECT_EQ(set.id_at(1), 11);
  EXPECT_EQ(set.id_at(2), 100);
  EXPECT_EQ(set.id_at(4), 102);
  EXPECT_EQ(set.index_of(11), 1);
  EXPECT_EQ(set.index_of(100), 2);
  EXPECT_EQ(set.index_of(9), -1);
  EXPECT_EQ(set.index_of(12), -1);
  EXPECT_EQ(set.index_of(103), -1);
}

TEST(RowRanges, IntersectingWithItselfOrWithNothing) {
  RowRanges set{{1, 3}, {5, 9}};
  const RowRanges same = set;
  set.intersect(same);
  EXPECT_EQ(set, same);
  set.intersect(RowRanges{});
  EXPECT_TRUE(set.empty());
}

using RowRangesDeathTest = testing::Test;

TEST(RowRangesDeathTest, AnIndexBeyondTheSetIsABugOfOurs) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(static_cast<void>(RowRanges({{0, 2}}).id_at(2)), "index");
}

// The same set, kept the plain way.
void expect_same(const RowRanges& set, const std::set<TokenId>& model) {
  ASSERT_EQ(set.size(), static_cast<int>(model.size()));
  ASSERT_EQ(set.empty(), model.empty());
  int index = 0;
  for (const TokenId id : model) {
    ASSERT_EQ(set.id_at(index), id);
    ASSERT_EQ(set.index_of(id), index);
    ++index;
  }
  for (TokenId id = -2; id < 66; ++id) ASSERT_EQ(set.contains(id), model.contains(id)) << id;
  for (std::size_t i = 0; i < set.ranges().size(); ++i) {
    ASSERT_GT(set.ranges()[i].size(), 0);
    if (i > 0) {
      ASSERT_LT(set.ranges()[i - 1].end, set.ranges()[i].begin) << "unsorted or adjacent ranges";
    }
  }
}

TEST(RowRanges, BehavesAsAPlainSetUnderRandomOperations) {
  std::mt19937 random(20240607);
  const auto below = [&](int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); };
  const auto any_range = [&] {
    const int begin = below(64);
    return RowRange{begin, begin + below(12) - 1};  // now and then reversed or empty
  };
  for (int round = 0; round < 300; ++round) {
    RowRanges set;
    std::set<TokenId> model;
    for (int step = 0; step < 30; ++step) {
      switch (below(9)) {
        case 0:
          set.clear();
          model.clear();
          break;
        case 1:
        case 2: {
          const RowRange range = any_range();
          set.remove(range);
          for (TokenId id = range.begin; id < range.end; ++id) model.erase(id);
          break;
        }
        case 3: {
          RowRanges other;
          for (int i = below(5); i >= 0; --i) other.add(any_range());
          set.intersect(other);
          std::erase_if(model, [&](TokenId id) { return !other.contains(id); });
          break;
        }
        case 4: {
          RowRanges other;
          for (int i = below(5); i >= 0; --i) other.add(any_range());
          set.unite(other);
          for (TokenId id = 0; id < 80; ++id)
            if (other.contains(id)) model.insert(id);
          break;
        }
        default: {
          const RowRange range = any_range();
          set.add(range);
          for (TokenId id = range.begin; id < range.end; ++id) model.insert(id);
        }
      }
      ASSERT_NO_FATAL_FAILURE(expect_same(set, model)) << "round " << round << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace midinf
