#include "base/compute_pool.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/spin_wait.h"

namespace midinf {

struct ComputePool::State {
  std::mutex turn;  // one caller at a time
  const std::function<void(int)>* work = nullptr;
  std::atomic<std::uint32_t> round{0};
  std::atomic<std::uint32_t> finished{0};  // rounds times threads
  bool stop = false;
  std::vector<std::thread> threads;

  void next_round() {
    round.fetch_add(1, std::memory_order_release);
    round.notify_all();
  }

  void serve(int index) {
    for (std::uint32_t seen = 0;; ++seen) {
      spin_wait(round, seen);
      if (stop) return;
      (*work)(index);
      finished.fetch_add(1, std::memory_order_release);
      finished.notify_all();
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
  state_->stop = true;
  state_->next_round();
  for (std::thread& thread : state_->threads) thread.join();
}

int ComputePool::threads() const {
  return static_cast<int>(state_->threads.size()) + 1;
}

void ComputePool::run(const std::function<void(int)>& work) {
  const std::lock_guard turn(state_->turn);
  if (state_->threads.empty()) return work(0);
  state_->work = &work;
  const auto others = static_cast<std::uint32_t>(state_->threads.size());
  const std::uint32_t all = state_->finished.load(std::memory_order_relaxed) + others;
  state_->next_round();
  work(0);
  for (std::uint32_t done; (done = state_->finished.load(std::memory_order_acquire)) != all;)
    spin_wait(state_->finished, done);
}

int default_thread_count() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 8);
}

}  // namespace midinf
