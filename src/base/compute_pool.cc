#include "base/compute_pool.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/crowding.h"
#include "base/result.h"
#include "base/spin_wait.h"

namespace midinf {

struct ComputePool::State {
  struct Seat {
    alignas(64) std::atomic<std::uint32_t> asked{0};  // rounds that this thread has a part in
    std::thread thread;
  };
  std::mutex turn;  // one caller at a time
  const std::function<void(int)>* work = nullptr;
  std::atomic<std::uint32_t> finished{0};  // parts of rounds that the others have done
  bool stop = false;
  std::deque<Seat> others;  // all threads but the caller's
  std::mutex failing;       // of what follows
  std::exception_ptr failure;

  void work_on(int index) {
    try {
      (*work)(index);
    } catch (...) {
      const std::lock_guard lock(failing);
      if (!failure) failure = std::current_exception();
    }
  }

  static void ask(Seat& seat) {
    seat.asked.fetch_add(1, std::memory_order_release);
    seat.asked.notify_all();
  }

  void serve(const Seat& seat, int index) {
    for (std::uint32_t seen = 0;; ++seen) {
      spin_wait(seat.asked, seen);
      if (stop) return;
      work_on(index);
      finished.fetch_add(1, std::memory_order_release);
      finished.notify_all();
    }
  }

  std::mutex reporting;  // of crowding
  Crowding crowding{1};
  std::atomic<int> ready{1};
};

ComputePool::ComputePool(int threads) : state_(std::make_unique<State>()) {
  MIDINF_ASSERT(threads >= 1);
  try {
    for (int i = 1; i < threads; ++i) {
      State::Seat& seat = state_->others.emplace_back();
      seat.thread = std::thread([state = state_.get(), &seat, i] { state->serve(seat, i); });
    }
  } catch (const std::exception&) {
    // The system gives no more threads, or no memory for them: those that there are do the work.
    if (!state_->others.empty() && !state_->others.back().thread.joinable()) state_->others.pop_back();
  }
  state_->ready = this->threads();
  state_->crowding = Crowding(this->threads());
}

ComputePool::~ComputePool() {
  state_->stop = true;
  for (State::Seat& seat : state_->others) State::ask(seat);
  for (State::Seat& seat : state_->others) seat.thread.join();
}

int ComputePool::threads() const {
  return static_cast<int>(state_->others.size()) + 1;
}

int ComputePool::ready() const {
  return state_->ready.load(std::memory_order_relaxed);
}

void ComputePool::report(int threads, double work, std::chrono::nanoseconds took, std::chrono::nanoseconds waited) {
  const std::lock_guard lock(state_->reporting);
  state_->crowding.add(threads, work, took, waited);
  state_->ready.store(state_->crowding.threads(), std::memory_order_relaxed);
}

void ComputePool::run(int threads, const std::function<void(int)>& work) {
  MIDINF_ASSERT(threads >= 1 && threads <= this->threads());
  const std::lock_guard turn(state_->turn);
  if (threads == 1) return work(0);
  state_->work = &work;
  const std::uint32_t all = state_->finished.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(threads - 1);
  for (int i = 1; i < threads; ++i) State::ask(state_->others[static_cast<std::size_t>(i - 1)]);
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
