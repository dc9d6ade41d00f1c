// The reference's operations on event lists, under the names the field knows; times in steps of 10 ms.
// Must not know: networks, windows. All are pure and run in proportion to what they take
// and return (sort: n log n).
// Read next: anticipation/window.h, which bounds what these may leave unbounded.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "base/token.h"

namespace midinf {

/// How far apart events may stand before pad puts a REST between them: 1 s.
inline constexpr Ticks10ms kPadInterval{100};

/// Puts a REST at previous + `interval`, again and again, wherever the next event is further away than that, from time
/// 0 on. The gap up to `end` is filled too; without `end` that is the latest onset, so nothing follows a sorted list.
/// A REST has duration 0. Precondition: events only, one piece (no control, no separator); interval > 0; end <=
/// kMaxSongSteps. [any thread] Source: anticipation/ops.py@af37397 pad (where an end of 0 means none).
std::vector<Triplet> pad(std::span<const Triplet> events, std::optional<Ticks10ms> end = std::nullopt,
                         Ticks10ms interval = kPadInterval);

/// Drops every REST. [any thread] Source: anticipation/ops.py@af37397 unpad.
std::vector<Triplet> unpad(std::span<const Triplet> triplets);

enum class ClipDuration { kShorten, kKeep };

/// Keeps what begins within `start`..`end`, both included, and by default shortens what would sound past `end` to end
/// there. Events and controls, one piece (no separator). [any thread] Source: anticipation/ops.py@af37397 clip.
std::vector<Triplet> clip(std::span<const Triplet> triplets, Ticks10ms start, Ticks10ms end,
                          ClipDuration durations = ClipDuration::kShorten);

/// The same in seconds, rounded to the nearest step (the reference truncates, so that 1.15 s becomes 114 steps).
std::vector<Triplet> clip(std::span<const Triplet> triplets, Seconds start, Seconds end,
                          ClipDuration durations = ClipDuration::kShorten);

/// Drops what begins after `start` and before `end`; what begins on either stays. Events and controls, one piece.
/// [any thread] Source: anticipation/ops.py@af37397 mask.
std::vector<Triplet> mask(std::span<const Triplet> triplets, Ticks10ms start, Ticks10ms end);

/// In order of time; what begins together stays in its order. One piece. Controls stand at their own time (the
/// reference sorts by id, so that it must not be given both kinds). [any thread] Source: anticipation/ops.py@af37397
/// sort.
std::vector<Triplet> sort(std::span<const Triplet> triplets);

/// Moves events and controls by `shift` up to the first separator; what follows stays where it is. Precondition: no
/// time becomes negative or passes kMaxSongSteps. [any thread] Source: anticipation/ops.py@af37397 translate.
std::vector<Triplet> translate(std::span<const Triplet> triplets, Ticks10ms shift);

/// The earliest time before the first separator, 0 if there is none. RESTs count, unless only one instrument is asked
/// for. [any thread] Source: anticipation/ops.py@af37397 min_time.
Ticks10ms min_time(std::span<const Triplet> triplets, std::optional<int> instrument = std::nullopt);

/// The latest time of any piece, 0 if there is none: not the end of the last note but its onset. RESTs count, unless
/// only one instrument is asked for. [any thread] Source: anticipation/ops.py@af37397 max_time.
Ticks10ms max_time(std::span<const Triplet> triplets, std::optional<int> instrument = std::nullopt);

}  // namespace midinf
