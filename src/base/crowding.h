// Whether the threads of a pool have the processors for themselves. Read next: compute_pool.cc, its only user.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>

namespace midinf {

/// Threads that wait for each other at every step are as fast as the slowest, and one whose processor somebody else
/// wants is milliseconds away again and again: fewer threads are faster then. But not everywhere: virtual processors
/// that get only part of a real one's time look the same, and there all are faster. Told how rounds of work went, says
/// how many threads the next should have: half as many when they wait a lot, for as long as that is faster than the
/// others were; all of them again after a while, later each time. [one thread at a time]
class Crowding {
 public:
  explicit Crowding(int threads) : all_(threads) {}

  [[nodiscard]] int threads() const { return std::max(1, all_ >> level_); }

  /// A round on so many threads took so long, and they slept for each other for so long, all of them together. `work`
  /// is what it did, in any unit; 0: not to be compared with others.
  void add(int threads, double work, std::chrono::nanoseconds took, std::chrono::nanoseconds waited) {
    if (threads != this->threads()) return;  // begun before the last change
    if (work > 0) {
      measured_ = std::min(measured_ + 1, kRecent);
      pace_ += (static_cast<double>(took.count()) / work - pace_) / measured_;
    }
    if (level_ > 0) {
      const double pace_of_more = left_at_[level_ - 1];
      if (pace_of_more > 0 && measured_ == kRecent && pace_ > kSlower * pace_of_more) {
        use(level_ - 1);
        patient_ = patience_;
        patience_ = std::min(2 * patience_, kLongestPatience);
        return;
      }
      if (--left_ <= 0) {
        use(0);
        pause_ = std::min(2 * pause_, kLongestPause);
        patience_ = kFirstPause;
        return;
      }
    }
    patient_ = std::max(0, patient_ - 1);
    if (kPart * waited <= took * (threads - 1)) {
      score_ = std::max(0, score_ - 1);
      calm_ = std::min(calm_ + 1, kCalm);
      if (level_ == 0 && calm_ == kCalm) pause_ = patience_ = kFirstPause;
      return;
    }
    calm_ = 0;
    score_ = std::min(score_ + kCrowded, 2 * kMost);
    if (score_ <= kMost || patient_ > 0 || level_ + 1 == left_at_.size()) return;
    if (level_ > 0 && measured_ < kRecent) return;  // not known yet whether these are worth it
    if (measured_ == kRecent || left_at_[level_] == 0) left_at_[level_] = pace_;
    use(level_ + 1);
    left_ = pause_;
  }

 private:
  void use(std::size_t level) {
    level_ = level;
    score_ = measured_ = calm_ = patient_ = 0;
    pace_ = 0;
  }

  // In rounds. Two crowded ones within eight are no accident.
  static constexpr int kCrowded = 8, kMost = 8, kFirstPause = 32, kLongestPause = 1'024, kCalm = 256;
  static constexpr int kLongestPatience = 512, kRecent = 16;
  static constexpr double kSlower = 1.05;
  // Of its time each thread but one may sleep one in kPart. In a browser that says less: there waking takes long.
#if defined(__EMSCRIPTEN__)
  static constexpr int kPart = 2;
#else
  static constexpr int kPart = 4;
#endif
  int all_;
  std::size_t level_ = 0;                     // so many times halved
  int score_ = 0;                             // of late crowded rounds
  int calm_ = 0;                              // rounds without one that was crowded
  double pace_ = 0;                           // time by work, of late
  int measured_ = 0;                          // rounds in it
  std::array<double, 8> left_at_{};           // each level's pace when it was last left for fewer threads; 0: never
  int left_ = 0, pause_ = kFirstPause;        // rounds until all threads are tried again; how many the next time
  int patient_ = 0, patience_ = kFirstPause;  // rounds for which waiting is borne; how many the next time
};

}  // namespace midinf
