// Whether the threads of a pool have the processors for themselves. Read next: compute_pool.cc, its only user.
#pragma once

#include <algorithm>
#include <chrono>

namespace midinf {

/// Threads that wait for each other at every step are as fast as the slowest, and one whose processor somebody else
/// wants is milliseconds away again and again: fewer threads are faster then. Told how rounds of work went, says how
/// many threads the next should have; tries all of them again after a while, later each time. [one thread at a time]
class Crowding {
 public:
  explicit Crowding(int threads) : all_(threads), now_(threads) {}

  [[nodiscard]] int threads() const { return now_; }

  /// A round took so long, and its threads slept for each other for so long, all of them together.
  void add(std::chrono::nanoseconds took, std::chrono::nanoseconds waited) {
    const bool crowded = now_ > 1 && kPart * waited > took * (now_ - 1);
    if (crowded) {
      calm_ = 0;
      if ((score_ += kCrowded) > kMost) {
        now_ = std::max(1, now_ / 2);
        left_ = pause_;
        pause_ = std::min(2 * pause_, kLongestPause);
        score_ = 0;
      }
      return;
    }
    score_ = std::max(0, score_ - 1);
    if (now_ == all_) {
      if (++calm_ == kCalm) pause_ = kFirstPause;
    } else if (--left_ <= 0) {
      now_ = all_;
    }
  }

 private:
  // In rounds. Two crowded ones within eight are no accident.
  static constexpr int kCrowded = 8, kMost = 8, kFirstPause = 32, kLongestPause = 1'024, kCalm = 256;
  // Of its time each thread but one may sleep one in kPart. In a browser that says less: there waking takes long.
#if defined(__EMSCRIPTEN__)
  static constexpr int kPart = 2;
#else
  static constexpr int kPart = 4;
#endif
  int all_;
  int now_;
  int score_ = 0;            // of late crowded rounds
  int pause_ = kFirstPause;  // before all threads are tried again, the next time
  int left_ = 0;             // of it
  int calm_ = 0;             // rounds of all threads without one that was crowded
};

}  // namespace midinf
