// The way of notes from the thread that makes them to the thread that plays them: a ring that never locks.
// Must not know: who generates, what plays. Read next: scheduler.h, which empties it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "base/note.h"

namespace midinf {

/// One thing that the generating side tells the playing side. Times are stream time.
struct QueueMessage {
  enum class Kind : std::uint8_t {
    kNote,     ///< play `note`, the stream's event number `event`
    kReach,    ///< every note with an onset before `at` has been queued: the clock may run up to there
    kCutFrom,  ///< forget every note with an onset from `at` on that has not started; the reach is `at` at most
    kSeek,     ///< release what sounds, forget what is pending; position and reach become `at`
  };

  Kind kind = Kind::kReach;
  std::uint8_t instrument = 0;  ///< this and the rest as in Note, of kNote only
  std::uint8_t pitch = 0;
  std::uint8_t velocity = 0;
  Ticks10ms at;  ///< a note's onset
  Ticks10ms duration;
  std::uint64_t event = 0;

  static constexpr QueueMessage note(const Note& note, std::uint64_t event) {
    return {Kind::kNote, note.instrument, note.pitch, note.velocity, note.onset, note.duration, event};
  }
  static constexpr QueueMessage reach(Ticks10ms at) { return {.kind = Kind::kReach, .at = at}; }
  static constexpr QueueMessage cut_from(Ticks10ms at) { return {.kind = Kind::kCutFrom, .at = at}; }
  static constexpr QueueMessage seek(Ticks10ms at) { return {.kind = Kind::kSeek, .at = at}; }

  bool operator==(const QueueMessage&) const = default;
};
static_assert(std::is_trivially_copyable_v<QueueMessage>);

/// A ring for one producer and one consumer. Both sides are wait-free and allocate nothing once it is built.
class NoteQueue {
 public:
  /// Holds `capacity` messages, rounded up to a power of two. Precondition: capacity >= 1. [main]
  explicit NoteQueue(std::size_t capacity);

  [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }
  /// How many messages wait, as of some moment during the call. [any thread]
  [[nodiscard]] std::size_t size() const noexcept;

  /// False, and nothing queued, when the ring is full: try again later. [worker: the one producer]
  [[nodiscard]] bool try_push(const QueueMessage& message) noexcept;

  /// The oldest message, null if there is none; valid until pop(). [audio: the one consumer]
  [[nodiscard]] const QueueMessage* front() noexcept;
  /// Takes the message that front() showed. Precondition: front() returned one. [audio]
  void pop() noexcept;

 private:
  using Index = std::atomic<std::uint64_t>;  // counts messages for ever; the slot is its low bits
  static_assert(Index::is_always_lock_free);
  static constexpr std::size_t kCacheLine = 64;

  std::vector<QueueMessage> slots_;
  std::uint64_t mask_;
  // Each side writes one line; what it last saw of the other side's index saves it reading the other line.
  alignas(kCacheLine) Index pushed_{0};
  std::uint64_t popped_seen_ = 0;
  alignas(kCacheLine) Index popped_{0};
  std::uint64_t pushed_seen_ = 0;
};

}  // namespace midinf
