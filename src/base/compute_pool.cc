#include "base/compute_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/result.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace midinf {
namespace {

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

// A matrix-vector product takes some ten microseconds, waking a sleeping thread as long: spin for about that long
// (tens of microseconds), then sleep.
constexpr int kSpins = 4000;

}  // namespace

struct ComputePool::State {
  std::mutex turn;  // one caller at a time
  std::mutex mutex;
  std::condition_variable wake;
  const std::function<void(int)>* work = nullptr;
  std::atomic<std::uint64_t> round{0};
  std::atomic<int> unfinished{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;

  void serve(int index) {
    for (std::uint64_t seen = 0;; ++seen) {
      int spins = 0;
      while (round.load(std::memory_order_acquire) == seen && !stop.load(std::memory_order_relaxed)) {
        if (++spins < kSpins) {
          relax();
          continue;
        }
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return round.load(std::memory_order_acquire) != seen || stop.load(); });
      }
      if (stop.load()) return;
      (*work)(index);
      unfinished.fetch_sub(1, std::memory_order_release);
    }
  }
};

ComputePool::ComputePool(int threads) : state_(std::make_unique<State>()) {
  MIDINF_ASSERT(threads >= 1);
  try {
    for (int i = 1; i < threads; ++i) state_->threads.emplace_back([state = state_.get(), i] { state->serve(i); });
  } catch (const std::system_error&) {
    // The system gives no more threads: those that there are do the work.
  }
}

ComputePool::~ComputePool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->wake.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

int ComputePool::threads() const {
  return static_cast<int>(state_->threads.size()) + 1;
}

void ComputePool::run(const std::function<void(int)>& work) {
  const std::lock_guard turn(state_->turn);
  if (state_->threads.empty()) return work(0);
  state_->work = &work;
  state_->unfinished.store(static_cast<int>(state_->threads.size()), std::memory_order_relaxed);
  {
    const std::lock_guard lock(state_->mutex);
    state_->round.fetch_add(1, std::memory_order_release);
  }
  state_->wake.notify_all();
  work(0);
  for (int spins = 0; state_->unfinished.load(std::memory_order_acquire) != 0; ++spins)
    spins < kSpins ? relax() : std::this_thread::yield();
}

int default_thread_count() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 8);
}

}  // namespace midinf
