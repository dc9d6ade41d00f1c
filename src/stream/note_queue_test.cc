#include "stream/note_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace midinf {
namespace {

QueueMessage numbered(std::uint64_t n) {
  const Note note{Ticks10ms(static_cast<std::int64_t>(n)), Ticks10ms(static_cast<std::int64_t>(n % 97)),
                  static_cast<std::uint8_t>(n % 129), static_cast<std::uint8_t>(n % 128),
                  static_cast<std::uint8_t>(1 + n % 127)};
  return QueueMessage::note(note, n);
}

TEST(NoteQueue, RoundsItsCapacityUpToAPowerOfTwo) {
  EXPECT_EQ(NoteQueue(1).capacity(), 1U);
  EXPECT_EQ(NoteQueue(5).capacity(), 8U);
  EXPECT_EQ(NoteQueue(64).capacity(), 64U);
}

TEST(NoteQueue, GivesBackInOrderWhatItTook) {
  NoteQueue queue(4);
  EXPECT_EQ(queue.front(), nullptr);
  for (std::uint64_t n = 0; n < 1000; ++n) {
    ASSERT_TRUE(queue.try_push(numbered(2 * n)));
    ASSERT_TRUE(queue.try_push(numbered(2 * n + 1)));
    ASSERT_EQ(queue.size(), 2U);
    for (const std::uint64_t expected : {2 * n, 2 * n + 1}) {
      ASSERT_NE(queue.front(), nullptr);
      ASSERT_EQ(*queue.front(), numbered(expected));
      queue.pop();
    }
  }
  EXPECT_EQ(queue.front(), nullptr);
}

TEST(NoteQueue, RefusesWhatDoesNotFitAndKeepsTheRest) {
  NoteQueue queue(2);
  EXPECT_TRUE(queue.try_push(numbered(0)));
  EXPECT_TRUE(queue.try_push(numbered(1)));
  EXPECT_FALSE(queue.try_push(numbered(2)));
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(*queue.front(), numbered(0));
  queue.pop();
  EXPECT_TRUE(queue.try_push(numbered(2)));
  EXPECT_EQ(*queue.front(), numbered(1));
  queue.pop();
  EXPECT_EQ(*queue.front(), numbered(2));
}

TEST(NoteQueue, LosesAndMixesNothingBetweenTwoThreads) {
  for (const std::size_t capacity : {1U, 2U, 64U}) {
    NoteQueue queue(capacity);
    constexpr std::uint64_t kMessages = 50'000;
    std::thread producer([&] {
      for (std::uint64_t n = 0; n < kMessages; ++n)
        while (!queue.try_push(numbered(n))) std::this_thread::yield();
    });
    std::uint64_t wrong = 0;
    for (std::uint64_t n = 0; n < kMessages; ++n) {
      const QueueMessage* message = nullptr;
      while ((message = queue.front()) == nullptr) std::this_thread::yield();
      if (*message != numbered(n)) ++wrong;
      queue.pop();
    }
    producer.join();
    EXPECT_EQ(wrong, 0U) << "capacity " << capacity;
    EXPECT_EQ(queue.size(), 0U);
  }
}

}  // namespace
}  // namespace midinf
