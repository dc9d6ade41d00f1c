// Whether the threads of a pool have the processors for themselves. Read next: compute_pool.cc, its only user.
#pragma once

#include <algorithm>
#include <chrono>

namespace midinf {

/// Threads that wait for each other at every step are as fast as the slowest, and one whose processor somebody else
/// wants is milliseconds away again and again: fewer threads are faster then. But not everywhere: virtual processors
/// that get only part of a real one's time look the same, and there all are faster. Told how rounds of work went, says
/// how many threads the next should have: fewer when they wait a lot, for as long as that is faster than it was with
/// more; all of them again after a while, later each time. [one thread at a time]
class Crowding {
 public:
  explicit Crowding(int threads) : all_(threads), now_(threads) {}

  [[nodiscard]] int threads() const { return now_; }

  /// A round of so many tokens took so long, and its threads slept for each other for so long, all of them together.
  void add(int tokens, std::chrono::nanoseconds took, std::chrono::nanoseconds waited) {
    if (tokens <= kFewTokens) {
      measured_ = std::min(measured_ + 1, kRecent);
      pace_ += (static_cast<double>(took.count()) / (kFewTokens + tokens) - pace_) / measured_;
    }
    left_ = std::max(0, left_ - 1);
    if (now_ < all_) {
      const bool slower = pace_of_more_ > 0 && measured_ == kRecent && pace_ > pace_of_more_;
      if (slower) {
        use(all_);
        left_ = patience_;
        patience_ = std::min(2 * patience_, kLongestPatience);
        return;
      }
      if (left_ == 0) {
        use(all_);
        patience_ = kFirstPause;
        return;
      }
    }
    const bool crowded = now_ > 1 && kPart * waited > took * (now_ - 1);
    if (!crowded) {
      score_ = std::max(0, score_ - 1);
      if (now_ == all_ && ++calm_ == kCalm) pause_ = patience_ = kFirstPause;
      return;
    }
    calm_ = 0;
    score_ = std::min(score_ + kCrowded, 2 * kMost);
    if (score_ <= kMost || (now_ == all_ && left_ > 0)) return;
    pace_of_more_ = pace_;
    use(std::max(1, now_ / 2));
    left_ = pause_;
    pause_ = std::min(2 * pause_, kLongestPause);
  }

 private:
  void use(int threads) {
    now_ = threads;
    score_ = measured_ = calm_ = left_ = 0;
    pace_ = 0;
  }

  // In rounds. Two crowded ones within eight are no accident.
  static constexpr int kCrowded = 8, kMost = 8, kFirstPause = 32, kLongestPause = 1'024, kCalm = 256;
  static constexpr int kLongestPatience = 256, kRecent = 16;
  // A round of so many takes about twice as long as one of one token. Rounds of more are too few to compare.
  static constexpr int kFewTokens = 8;
  // Of its time each thread but one may sleep one in kPart. In a browser that says less: there waking takes long.
#if defined(__EMSCRIPTEN__)
  static constexpr int kPart = 2;
#else
  static constexpr int kPart = 4;
#endif
  int all_;
  int now_;
  int score_ = 0;               // of late crowded rounds
  int pause_ = kFirstPause;     // before all threads are tried again, the next time
  int patience_ = kFirstPause;  // with waiting, the next time that fewer were slower
  int left_ = 0;                // of either
  int calm_ = 0;                // rounds of all threads without one that was crowded
  double pace_ = 0;             // of late, with so many threads: time of a round by the tokens in it
  double pace_of_more_ = 0;     // when they were left
  int measured_ = 0;            // rounds in pace_
};

}  // namespace midinf
