#include "stream/note_queue.h"

#include <bit>

#include "base/result.h"

namespace midinf {

NoteQueue::NoteQueue(std::size_t capacity) : slots_(std::bit_ceil(capacity)), mask_(slots_.size() - 1) {
  MIDINF_ASSERT(capacity >= 1);
}

std::size_t NoteQueue::size() const noexcept {
  const std::uint64_t popped = popped_.load(std::memory_order_acquire);  // first: it never passes pushed_
  return static_cast<std::size_t>(pushed_.load(std::memory_order_acquire) - popped);
}

bool NoteQueue::try_push(const QueueMessage& message) noexcept {
  const std::uint64_t pushed = pushed_.load(std::memory_order_relaxed);
  if (pushed - popped_seen_ > mask_) {
    popped_seen_ = popped_.load(std::memory_order_acquire);
    if (pushed - popped_seen_ > mask_) return false;
  }
  slots_[pushed & mask_] = message;
  pushed_.store(pushed + 1, std::memory_order_release);
  return true;
}

const QueueMessage* NoteQueue::front() noexcept {
  const std::uint64_t popped = popped_.load(std::memory_order_relaxed);
  if (popped == pushed_seen_) {
    pushed_seen_ = pushed_.load(std::memory_order_acquire);
    if (popped == pushed_seen_) return nullptr;
  }
  return &slots_[popped & mask_];
}

void NoteQueue::pop() noexcept {
  popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

}  // namespace midinf
