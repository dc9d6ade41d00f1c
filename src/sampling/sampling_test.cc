#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "sampling/draw.h"
#include "sampling/filters.h"
#include "sampling/logits.h"
#include "sampling/random.h"

namespace midinf {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

std::vector<float> random_logits(std::mt19937& random, std::size_t n, float spread) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(n);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

// The definition, written down without any cleverness.
std::vector<bool> nucleus(const std::vector<float>& logits, double p) {
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  std::vector<bool> kept(logits.size(), false);
  double before = 0;
  for (const std::size_t i : order) {
    if (before > p && i != order.front()) break;
    kept[i] = true;
    before += std::exp(static_cast<double>(logits[i])) / total;
  }
  return kept;
}

TEST(Philox, GivesThePublishedTestVectors) {  // Random123, kat_vectors
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Uniform, IsUniformAndDependsOnAllItsArguments) {
  std::vector<int> bins(100);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const double u = uniform(7, i, static_cast<std::uint32_t>(i % 3));
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    ++bins[static_cast<std::size_t>(u * 100)];
  }
  double chi_square = 0;
  for (const int count : bins) chi_square += (count - 1000.0) * (count - 1000.0) / 1000.0;
  EXPECT_LT(chi_square, 161.4);  // 99 degrees of freedom, p = 1e-4
  EXPECT_NE(uniform(7, 1, 0), uniform(8, 1, 0));
  EXPECT_NE(uniform(7, 1, 0), uniform(7, 2, 0));
  EXPECT_NE(uniform(7, 1, 0), uniform(7, 1, 1));
  EXPECT_NE(uniform(7, 1, 0), uniform(7 + (std::uint64_t{1} << 32), 1, 0));
}

TEST(Logits, TheHighestOfAnyNumber) {
  std::mt19937 random(std::random_device{}());
  EXPECT_EQ(highest_of({}), kForbidden);
  for (std::size_t n = 1; n < 70; ++n) {
    const auto logits = random_logits(random, n, 6);
    EXPECT_EQ(highest_of(logits), *std::max_element(logits.begin(), logits.end()));
  }
}

TEST(Logits, TheSumOfAnyNumber) {
  std::mt19937 random(std::random_device{}());
  EXPECT_EQ(sum_of({}), 0);
  for (std::size_t n = 1; n < 70; ++n) {
    const auto values = random_logits(random, n, 6);
    EXPECT_NEAR(sum_of(values), std::accumulate(values.begin(), values.end(), 0.0), 1e-9);
  }
}

TEST(Logits, FiniteOnlyWhenAllAre) {
  for (const float bad : {kForbidden, -kForbidden, std::nanf("")}) {
    std::vector<float> logits(100, -std::numeric_limits<float>::max());
    EXPECT_TRUE(all_finite(logits));
    logits[93] = bad;
    EXPECT_FALSE(all_finite(logits)) << bad;
  }
  EXPECT_TRUE(all_finite({}));
}

TEST(Logits, ExpIsNearTheRealOne) {
  for (float x = 0; x > -87; x -= 0.001F) {
    const double real = std::exp(double{x});
    ASSERT_NEAR(exp_below_zero(x) / real, 1, 1e-7 * (3 - x)) << x;
  }
  EXPECT_EQ(exp_below_zero(0), 1);
  EXPECT_GT(exp_below_zero(kForbidden), 0);
  EXPECT_LT(exp_below_zero(kForbidden), 1e-37);
}

TEST(TopP, KeepsExactlyTheNucleus) {
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 200; ++round) {
    const std::size_t n = 1 + random() % 3000;
    const auto logits = random_logits(random, n, round % 2 == 0 ? 1.0F : 6.0F);
    const double p = std::uniform_real_distribution<>(0, 1)(random);
    auto filtered = logits;
    TopP(p).edit({}, {}, filtered);
    const auto kept = nucleus(logits, p);
    // An id whose cumulative probability is p to within rounding may fall either way: at most one does.
    std::size_t different = 0;
    for (std::size_t i = 0; i < n; ++i) {
      different += (filtered[i] != kForbidden) != kept[i] ? 1 : 0;
      if (filtered[i] != kForbidden) {
        ASSERT_EQ(filtered[i], logits[i]);
      }
    }
    EXPECT_LE(different, 1U) << "n " << n << " p " << p;
  }
}

TEST(TopP, AtZeroIsGreedyAndAtOneKeepsAll) {
  std::vector<float> logits{1, 3, 3, 2};
  TopP(1).edit({}, {}, logits);
  EXPECT_EQ(logits, (std::vector<float>{1, 3, 3, 2}));
  TopP(0).edit({}, {}, logits);
  EXPECT_EQ(logits, (std::vector<float>{kForbidden, 3, kForbidden, kForbidden}));
}

TEST(TopP, OfEqualsTheLowerIdsStay) {
  std::vector<float> logits{0, 1, 1, 1, kForbidden, 1};
  TopP(0.4).edit({}, {}, logits);  // each of the four 0.23
  EXPECT_EQ(logits, (std::vector<float>{kForbidden, 1, 1, kForbidden, kForbidden, kForbidden}));
  logits = {2, 2, 2};
  TopP(1e-300).edit({}, {}, logits);
  EXPECT_EQ(logits, (std::vector<float>{2, kForbidden, kForbidden}));
  logits = {-5};
  TopP(0.5).edit({}, {}, logits);
  EXPECT_EQ(logits, (std::vector<float>{-5}));
}

TEST(TopP, LeavesForbiddenIdsForbidden) {
  std::vector<float> logits{kForbidden, 0, kForbidden, 1};
  TopP(0.99).edit({}, {}, logits);
  EXPECT_EQ(logits[0], kForbidden);
  EXPECT_EQ(logits[2], kForbidden);
}

TEST(Temperature, DividesAndAtZeroKeepsTheTop) {
  std::vector<float> logits{1, -2, 4};
  Temperature(0.5).edit({}, {}, logits);
  EXPECT_EQ(logits, (std::vector<float>{2, -4, 8}));
  Temperature(0).edit({}, {}, logits);
  EXPECT_EQ(logits, (std::vector<float>{kForbidden, kForbidden, 8}));
}

TEST(Temperature, ATinyOneKeepsTheTopInsteadOfDividingToInfinity) {
  for (const double temperature : {1e-7, 1e-40, 1e-300}) {
    std::vector<float> logits{1, -2, 4};
    Temperature(temperature).edit({}, {}, logits);
    EXPECT_EQ(logits, (std::vector<float>{kForbidden, kForbidden, 4})) << temperature;
  }
}

// Whole logits have many equals.
std::vector<float> whole_logits(std::mt19937& random, std::size_t n) {
  auto logits = random_logits(random, n, 4);
  for (float& logit : logits) logit = random() % 10 == 0 ? kForbidden : std::round(logit);
  logits[random() % n] = 3;
  return logits;
}

TEST(TopK, KeepsTheLikeliestAndOfEqualsTheLower) {
  std::vector<float> logits{2, 1, 3, 2, 2, kForbidden};
  TopK(3).edit({}, {}, logits);
  EXPECT_EQ(logits, (std::vector<float>{2, kForbidden, 3, 2, kForbidden, kForbidden}));
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    const std::size_t n = 1 + random() % 2000, k = random() % 300;
    const auto before = whole_logits(random, n);
    auto after = before;
    TopK(static_cast<int>(k)).edit({}, {}, after);
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return before[a] != before[b] ? before[a] > before[b] : a < b; });
    for (std::size_t rank = 0; rank < n; ++rank)
      ASSERT_EQ(after[order[rank]], k == 0 || rank < k ? before[order[rank]] : kForbidden) << "n " << n << " k " << k;
  }
}

TEST(MinP, DropsWhatIsLessLikelyThanAShareOfTheLikeliest) {
  std::vector<float> logits{0, -1, -3, kForbidden, 0};
  MinP(0.1).edit({}, {}, logits);
  EXPECT_EQ(logits, (std::vector<float>{0, -1, kForbidden, kForbidden, 0}));
  MinP(1).edit({}, {}, logits);
  EXPECT_EQ(logits, (std::vector<float>{0, kForbidden, kForbidden, kForbidden, 0}));
  std::mt19937 random(6);
  for (int round = 0; round < 200; ++round) {
    const auto before = random_logits(random, 1 + random() % 2000, 3);
    const double share = std::uniform_real_distribution<>(0, 1)(random);
    auto after = before;
    MinP(share).edit({}, {}, after);
    const double highest = *std::max_element(before.begin(), before.end());
    for (std::size_t i = 0; i < before.size(); ++i)
      ASSERT_EQ(after[i], std::exp(before[i] - highest) >= share ? before[i] : kForbidden) << "share " << share;
  }
}

TEST(Draw, FollowsTheSoftmax) {
  const std::vector<float> logits{0, kForbidden, 2, -1, 1.5F};
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  std::vector<int> counts(logits.size());
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(draw(logits, uniform(11, i, 0)))];
  EXPECT_EQ(counts[1], 0);
  double chi_square = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double expected = kDraws * std::exp(static_cast<double>(logits[i])) / total;
    if (expected > 0) chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_square, 21.1);  // 3 degrees of freedom, p = 1e-4
}

TEST(Draw, TakesTheLastPossibleIdAtTheVeryEnd) {
  EXPECT_EQ(draw(std::vector<float>{0, 0, kForbidden}, std::nextafter(1.0, 0.0)), 1);
  EXPECT_EQ(draw(std::vector<float>{kForbidden, 0}, 0.0), 1);
}

}  // namespace
}  // namespace midinf
