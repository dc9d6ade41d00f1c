#include "base/compute_pool.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
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
  std::mutex failing;  // of what follows
  std::exception_ptr failure;

  void work_on(int index) {
    try {
      (*work)(index);
    } catch (...) {
      const std::lock_guard lock(failing);
      if (!failure) failure = std::current_exception();
    }
  }

  void next_round() {
    round.fetch_add(1, std::memory_order_release);
    round.notify_all();
  }

  void serve(int index) {
    for (std::uint32_t seen = 0;; ++seen) {
      spin_wait(round, seen);
      if (stop) return;
      work_on(index);
      finished.fetch_add(1, std::memory_order_release);
      finished.notify_all();
    }
  }
};

ComputePool::ComputePool(int threads) : state_(std::make_unique<State>()) {
  MIDINF_ASSERT(threads >= 1);
  state_->threads.reserve(static_cast<std::size_t>(threads));
  try {
    for (int i = 1; i < threads; ++i) state_->threads.emplace_back([state = state_.get(), i] { state->serve(i); });
  } catch (const std::exception&) {
    // The system gives no more threads, or no memory for them: those that there are do the work.
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
  state_->work_on(0);
  for (std::uint32_t done; (done = state_->finished.load(std::memory_order_acquire)) != all;)
    spin_wait(state_->finished, done);
  if (state_->failure) std::rethrow_exception(std::exchange(state_->failure, nullptr));
}

std::shared_ptr<ComputePool> shared_compute_pool(int threads) {
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<ComputePool>> pools;
  const std::lock_guard lock(mutex);
  std::weak_ptr<ComputePool>& kept = pools[threads];
  std::shared_ptr<ComputePool> pool = kept.lock();
  if (!pool) kept = pool = std::make_shared<ComputePool>(threads);
  return pool;
}

int default_thread_count() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 4);
}

}  // namespace midinf
