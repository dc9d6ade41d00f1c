#include "base/compute_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
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

TEST(Crowding, WhereThreadsSleepForEachOtherFewerWorkAndAllAreTriedAgain) {
  using std::chrono::milliseconds;
  Crowding crowding(4);
  const auto calm = [&] { crowding.add(1, milliseconds(10), milliseconds(1)); };
  const auto crowded = [&] { crowding.add(1, milliseconds(10), milliseconds(20)); };
  crowded();
  for (int i = 0; i < 20; ++i) calm();
  crowded();
  EXPECT_EQ(crowding.threads(), 4) << "now and then is no crowd";
  crowded();
  EXPECT_EQ(crowding.threads(), 2);
  for (int i = 0; i < 32; ++i) calm();
  EXPECT_EQ(crowding.threads(), 4);
  crowded(), crowded();
  for (int i = 0; i < 32; ++i) calm();
  EXPECT_EQ(crowding.threads(), 2) << "later each time";
  crowded(), crowded();
  EXPECT_EQ(crowding.threads(), 1);
  for (int i = 0; i < 200; ++i) calm();
  EXPECT_EQ(crowding.threads(), 4);
}

TEST(Crowding, FewerThatAreSlowerGiveWayToAllAndWaitingIsBorneForAWhile) {
  using std::chrono::milliseconds;
  Crowding crowding(2);
  const auto crowded = [&] { crowding.add(1, milliseconds(10), milliseconds(9)); };
  const auto alone = [&](int took) { crowding.add(1, milliseconds(took), milliseconds(0)); };
  crowded(), crowded();
  ASSERT_EQ(crowding.threads(), 1);
  for (int i = 0; i < 15; ++i) alone(11);
  EXPECT_EQ(crowding.threads(), 1) << "too few rounds to tell";
  alone(11);
  EXPECT_EQ(crowding.threads(), 2);
  for (int i = 0; i < 31; ++i) crowded();
  EXPECT_EQ(crowding.threads(), 2);
  crowded();
  EXPECT_EQ(crowding.threads(), 1) << "tried once more";
  for (int i = 0; i < 20; ++i) alone(9);
  EXPECT_EQ(crowding.threads(), 1);
  for (int i = 0; i < 10 && crowding.threads() == 1; ++i) alone(20);
  EXPECT_EQ(crowding.threads(), 2) << "no longer faster";
  for (int i = 0; i < 63; ++i) crowded();
  EXPECT_EQ(crowding.threads(), 2) << "longer each time";
}

TEST(Crowding, RoundsOfMoreTokensMayTakeLonger) {
  using std::chrono::milliseconds;
  Crowding crowding(2);
  for (int i = 0; i < 2; ++i) crowding.add(1, milliseconds(10), milliseconds(9));
  ASSERT_EQ(crowding.threads(), 1);
  for (int i = 0; i < 30; ++i) crowding.add(i % 2 == 0 ? 8 : 511, milliseconds(i % 2 == 0 ? 16 : 300), {});
  EXPECT_EQ(crowding.threads(), 1);
}

TEST(Crowding, NeverFewerThanOne) {
  Crowding crowding(1);
  for (int i = 0; i < 10; ++i) crowding.add(1, std::chrono::seconds(1), std::chrono::seconds(5));
  EXPECT_EQ(crowding.threads(), 1);
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
