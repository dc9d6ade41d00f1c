// What the commands say and how they end: one-line errors, progress on a terminal, Ctrl-C.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace midinf::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;      ///< one line on standard error says why
inline constexpr int kWrongUsage = 2;  ///< the command line makes no sense
inline constexpr int kInterrupted = 130;

/// Prints the error as one line on standard error and returns kFailed.
int report(const Error& error);

/// From now on Ctrl-C and SIGTERM set a flag instead of ending the program; a second one ends it at once.
void catch_interrupts();
bool interrupted();

/// A bar on standard error while long work runs; silent when that is no terminal or `quiet` is set.
class Progress {
 public:
  Progress(std::string what, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// `fraction` of the work done, 0..1, and a few words on it. Cheap: draws at most ten times a second.
  void update(double fraction, std::string_view detail = {});

 private:
  std::string what_;
  bool shown_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace midinf::cli
