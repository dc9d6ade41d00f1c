// Which of the past events the network sees, and what time it takes for zero.
// The network knows 1,024 positions and 100 s of onsets; a stream has neither end. Read next: stream/generator.cc.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "base/token.h"

namespace midinf {

/// The events from `start` on, seen with `origin` as onset 0.
struct Window {
  std::size_t start = 0;  ///< index into the history
  Ticks10ms origin;

  bool operator==(const Window&) const = default;
};

/// How the window follows the music.
enum class WindowPolicy {
  /// Grows until it is full (341 events) or its onsets near the end of their range, then keeps the last 170 events, or
  /// fewer where they span more than half the range, and re-bases: one prefill, then many cheap steps.
  kChunked,
  /// The last 339 events, re-based at every event, as the reference does: every step beyond the window is a prefill.
  kReference,
};

/// The window in which the event after `history` is drawn, when the event before was drawn in `previous`. `now` is the
/// earliest onset that the new event may have. Pure. Onsets of `history` are in stream time.
Window next_window(WindowPolicy policy, std::span<const Triplet> history, Window previous, Ticks10ms now);

/// The window that a full one slides to, as far as its events exist; nothing while none of them does. Sparse music
/// slides earlier and keeps fewer events. Pure.
std::optional<Window> upcoming_window(std::span<const Triplet> history, Window current, Ticks10ms now);

/// What the network reads: the flag AUTOREGRESS, then the window's events with their onsets re-based.
void append_context(std::span<const Triplet> history, Window window, std::vector<TokenId>& ids);

}  // namespace midinf
