// The threads that compute: one fixed set, asked to run one piece of work together.
// Must not know: what the work is. Read next: model/forward.cc.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace midinf {

/// A fixed set of threads. Work is cut by its caller so that the result does not depend on how many there are.
class ComputePool {
 public:
  /// `threads` counts the caller: ComputePool(1) starts none. Where the system refuses some, threads() is lower.
  /// Precondition: threads >= 1.
  explicit ComputePool(int threads);
  ~ComputePool();
  ComputePool(const ComputePool&) = delete;
  ComputePool& operator=(const ComputePool&) = delete;

  [[nodiscard]] int threads() const;
  /// For how many threads work is best cut at the moment: for fewer where report() told of waiting (crowding.h).
  /// [any thread]
  [[nodiscard]] int ready() const;
  /// How long a run on `threads` threads took, as many as ready() said, and how long they slept for each other on the
  /// way, all of them together. `work` is how much was done, in one unit for the process; 0: compares with nothing.
  /// [any thread]
  void report(int threads, double work, std::chrono::nanoseconds took, std::chrono::nanoseconds waited);

  /// Calls work(0) … work(threads - 1), one on each thread, work(0) on the caller's, and returns when all are done.
  /// What any of them throws is thrown again here, then. Two callers at once take turns. [any thread, not from inside
  /// work]
  void run(int threads, const std::function<void(int thread)>& work);
  void run(const std::function<void(int thread)>& work) { run(threads(), work); }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The pool of `threads` threads that this process has, made if there is none: two models take turns on it rather than
/// crowd the processors. [any thread]
std::shared_ptr<ComputePool> shared_compute_pool(int threads);

/// How many threads a model runs on unless told otherwise: the processors this process may use, at most 4, among which
/// a network shares out its layers.
int default_thread_count();

}  // namespace midinf
