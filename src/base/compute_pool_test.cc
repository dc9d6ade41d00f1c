#include "base/compute_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <new>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "base/crowding.h"

namespace midinf {
namespace {

class ComputePoolOf : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, ComputePoolOf, testing::Values(1, 2, 3, 4));

TEST_P(ComputePoolOf, RunsEachIndexOnceARound) {
  ComputePool pool(GetParam());
  ASSERT_EQ(pool.threads(), GetParam());
  std::vector<int> calls(static_cast<std::size_t>(GetParam()));  // plain ints: run() must order them
  for (int round = 1; round <= 2000; ++round) {
    pool.run([&](int thread) { ++calls[static_cast<std::size_t>(thread)]; });
    for (const int count : calls) ASSERT_EQ(count, round);
  }
}

TEST_P(ComputePoolOf, ReturnsOnlyWhenTheSlowestIsDone) {
  ComputePool pool(GetParam());
  std::vector<int> done(static_cast<std::size_t>(GetParam()));
  pool.run([&](int thread) {
    std::this_thread::sleep_for(std::chrono::milliseconds(thread == GetParam() - 1 ? 30 : 0));
    done[static_cast<std::size_t>(thread)] = 1;
  });
  for (const int each : done) EXPECT_EQ(each, 1);
}

TEST_P(ComputePoolOf, WakesAfterALongPause) {
  ComputePool pool(GetParam());
  std::atomic<int> calls{0};
  for (int round = 1; round <= 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // long enough for its threads to fall asleep
    pool.run([&](int) { ++calls; });
    ASSERT_EQ(calls, round * GetParam());
  }
}

TEST_P(ComputePoolOf, TwoCallersTakeTurns) {
  ComputePool pool(GetParam());
  std::atomic<int> inside{0};
  std::atomic<bool> mixed{false};
  std::vector<int> calls(static_cast<std::size_t>(GetParam()));
  constexpr int kRounds = 500;
  const auto caller = [&](int mark) {
    for (int round = 0; round < kRounds; ++round)
      pool.run([&](int thread) {
        int expected = 0;
        // The first thread of a round marks the pool as its caller's; the other caller's mark must not be there.
        if (!inside.compare_exchange_strong(expected, mark) && expected != mark) mixed = true;
        if (++calls[static_cast<std::size_t>(thread)] < 0) mixed = true;
        if (thread == 0) std::this_thread::yield();
        expected = mark;
        inside.compare_exchange_strong(expected, 0);
      });
  };
  std::thread other(caller, 1);
  caller(2);
  other.join();
  EXPECT_FALSE(mixed);
  for (const int count : calls) EXPECT_EQ(count, 2 * kRounds);
}

TEST_P(ComputePoolOf, RunsIndexZeroOnTheCallersThread) {
  ComputePool pool(GetParam());
  std::vector<std::thread::id> ids(static_cast<std::size_t>(GetParam()));
  pool.run([&](int thread) { ids[static_cast<std::size_t>(thread)] = std::this_thread::get_id(); });
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  EXPECT_EQ(std::set<std::thread::id>(ids.begin(), ids.end()).size(), ids.size()) << "one thread each";
}

TEST_P(ComputePoolOf, WhatAThreadThrowsReachesTheCallerAndThePoolGoesOn) {
  ComputePool pool(GetParam());
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> calls{0};
    const auto work = [&](int thread) {
      ++calls;
      if (thread == GetParam() - 1) throw std::bad_alloc();
    };
    EXPECT_THROW(pool.run(work), std::bad_alloc);
    ASSERT_EQ(calls, GetParam());
    pool.run([&](int) { --calls; });
    ASSERT_EQ(calls, 0);
  }
}

TEST_P(ComputePoolOf, RunsOnFewerThreadsAndOnAllAgain) {
  ComputePool pool(GetParam());
  std::vector<int> calls(static_cast<std::size_t>(GetParam()));
  std::vector<int> expected = calls;
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const int threads = 1 + static_cast<int>(random() % static_cast<unsigned>(GetParam()));
    pool.run(threads, [&](int thread) { ++calls[static_cast<std::size_t>(thread)]; });
    for (int thread = 0; thread < threads; ++thread) ++expected[static_cast<std::size_t>(thread)];
    ASSERT_EQ(calls, expected) << round;
  }
}

TEST_P(ComputePoolOf, EndsCleanlyUnused) {
  for (int i = 0; i < 50; ++i) ComputePool pool(GetParam());
}

// Rounds as a pool has them. Milliseconds each, by how many threads there are.
class CrowdingOf {
 public:
  explicit CrowdingOf(int threads) : crowding_(threads) {}
  [[nodiscard]] int threads() const { return crowding_.threads(); }
  void calm(int rounds = 1, int took = 10) { go(rounds, took, 0, 1); }
  void crowded(int rounds = 1, int took = 10) { go(rounds, took, took * (threads() - 1) / 2, 1); }
  void go(int rounds, int took, int waited, double work) {
    for (int i = 0; i < rounds; ++i)
      crowding_.add(threads(), work, std::chrono::milliseconds(took), std::chrono::milliseconds(waited));
  }
  // Until the number of threads changes; says how many rounds that took.
  template <class Round>
  int until_change(const Round& round) {
    const int before = threads();
    int rounds = 0;
    for (; rounds < 5000 && threads() == before; ++rounds) round();
    return rounds;
  }
  Crowding crowding_;
};

TEST(Crowding, WhereThreadsSleepForEachOtherFewerWorkAndAllAreTriedAgain) {
  CrowdingOf pool(4);
  pool.crowded();
  pool.calm(20);
  pool.crowded();
  EXPECT_EQ(pool.threads(), 4) << "now and then is no crowd";
  pool.crowded();
  EXPECT_EQ(pool.threads(), 2);
  EXPECT_EQ(pool.until_change([&] { pool.calm(); }), 32);
  EXPECT_EQ(pool.threads(), 4);
  pool.crowded(2);
  EXPECT_EQ(pool.threads(), 2);
  EXPECT_EQ(pool.until_change([&] { pool.calm(); }), 64) << "later each time";
  pool.crowded(2);
  EXPECT_EQ(pool.until_change([&] { pool.crowded(); }), 16) << "first it is seen what two are worth";
  EXPECT_EQ(pool.threads(), 1);
  EXPECT_EQ(pool.until_change([&] { pool.calm(); }), 128);
  EXPECT_EQ(pool.threads(), 4);
  pool.calm(256);
  pool.crowded(2);
  EXPECT_EQ(pool.until_change([&] { pool.calm(); }), 32) << "after a long calm it begins anew";
}

TEST(Crowding, FewerThatAreSlowerGiveWayAndWaitingIsBorneForAWhile) {
  CrowdingOf pool(2);
  pool.crowded(2);
  ASSERT_EQ(pool.threads(), 1);
  EXPECT_EQ(pool.until_change([&] { pool.calm(1, 11); }), 16);
  EXPECT_EQ(pool.until_change([&] { pool.crowded(); }), 32);
  EXPECT_EQ(pool.until_change([&] { pool.calm(1, 11); }), 16);
  EXPECT_EQ(pool.until_change([&] { pool.crowded(); }), 64) << "longer each time";
  pool.calm(20, 9);
  EXPECT_EQ(pool.threads(), 1);
  EXPECT_LT(pool.until_change([&] { pool.calm(1, 20); }), 5) << "no longer faster";
}

TEST(Crowding, OfThreeNumbersOfThreadsTheFastestStays) {
  const int took[] = {0, 20, 10, 0, 15};  // one, two, four
  CrowdingOf pool(4);
  std::map<int, int> rounds;
  for (int i = 0; i < 5000; ++i) {
    ++rounds[pool.threads()];
    pool.threads() == 1 ? pool.calm(1, took[1]) : pool.crowded(1, took[pool.threads()]);
  }
  EXPECT_GT(rounds[2], 4000);
  EXPECT_LT(rounds[1], 500);
}

TEST(Crowding, RoundsCompareByTheirWorkOrNotAtAll) {
  CrowdingOf pool(2);
  pool.crowded(2);
  ASSERT_EQ(pool.threads(), 1);
  for (int i = 0; i < 15; ++i) pool.go(1, 20, 0, 2), pool.go(1, 300, 0, 0);
  EXPECT_EQ(pool.threads(), 1);
}

TEST(Crowding, ARoundThatBeganBeforeTheLastChangeSaysNothing) {
  CrowdingOf pool(2);
  pool.crowded(2);
  ASSERT_EQ(pool.threads(), 1);
  for (int i = 0; i < 100; ++i) pool.crowding_.add(2, 1, std::chrono::milliseconds(100), std::chrono::milliseconds(90));
  EXPECT_EQ(pool.threads(), 1);
}

TEST(Crowding, NeverFewerThanOne) {
  CrowdingOf pool(1);
  pool.go(10, 1000, 5000, 1);
  EXPECT_EQ(pool.threads(), 1);
}

TEST(ComputePool, IsSharedWhileAnybodyHasIt) {
  auto first = shared_compute_pool(2);
  EXPECT_EQ(shared_compute_pool(2), first);
  EXPECT_NE(shared_compute_pool(1), first);
  const std::weak_ptr<ComputePool> gone = first;
  first.reset();
  EXPECT_TRUE(gone.expired());
  EXPECT_EQ(shared_compute_pool(2)->threads(), 2);
}

TEST(ComputePool, TheDefaultCountIsBetweenOneAndFour) {
  EXPECT_GE(default_thread_count(), 1);
  EXPECT_LE(default_thread_count(), 4);
}

using ComputePoolDeathTest = testing::Test;

TEST(ComputePoolDeathTest, NoThreadsIsABugOfOurs) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(ComputePool(0), "threads >= 1");
}

}  // namespace
}  // namespace midinf
