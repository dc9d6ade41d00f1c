// Is the music still alive? Finds the ways in which a model's music dies.
// Must not know: networks, generators. Read next: generator.cc (recover), docs/decisions/006-recovery.md for how the
// thresholds were set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "anticipation/settings.h"
#include "base/time.h"
#include "base/token.h"

namespace midinf {

enum class Trouble : std::uint8_t {
  kNone,
  kSilence,     ///< nothing sounds for over 8 s
  kLoop,        ///< a pattern of at most 4 s, eight times over
  kStuckOnset,  ///< onsets pile up at the end of the window's range
  kCrowd,       ///< more notes at one instant, or within two seconds, than music has
};

/// "silence", "loop", "stuck onset", "crowd"; "none".
std::string_view trouble_name(Trouble trouble);

inline constexpr Ticks10ms kLongestSilence{800};
inline constexpr Ticks10ms kLongestPattern{400};
inline constexpr int kMostRepeats = 8;
inline constexpr int kMostAtOnce = 64;         ///< events at one instant; the pieces in tests/data reach 18
inline constexpr int kMostInTwoSeconds = 240;  ///< events; those pieces reach 172
inline constexpr int kMostStuck = 8;           ///< onsets in the last 100 ms of the window's range

/// The trouble, and the index into the history of the first event that should go.
struct FoundTrouble {
  Trouble kind = Trouble::kNone;
  std::size_t begin = 0;
};

/// Whether the last event of `history` (onsets in stream time, oldest first) shows that the music has died. Only its
/// last `watched` events (at least one) can make trouble: a prompt may do as it likes. Call it after each event. Pure.
/// [any thread] Cost: a look at the events of the last 18 s.
FoundTrouble find_trouble(std::span<const Triplet> history, Ticks10ms window_origin, std::size_t watched);

/// The settings for what follows a rewind out of `trouble`; `attempt` 1..3, each further from what the listener chose.
Settings revived(const Settings& settings, Trouble trouble, int attempt);

}  // namespace midinf
