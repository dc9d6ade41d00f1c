// How hard notes are struck: the model neither reads nor writes velocity.
// Must not know: networks, time that passes. Read next: stream.cc, which asks for each note as it goes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/note.h"
#include "base/token.h"

namespace midinf {

struct VelocityStyle {
  int constant = 0;        ///< 1..127: every note so hard; 0: a player's accents
  std::uint64_t seed = 0;  ///< of the accents' small variation
};

/// The velocity of `events[i]`, which is the stream's event number `index`: 1..127. What strikes together is accented,
/// the more so the more voices strike; bass drum and snare lead, closed hi-hats step back, long notes are a little
/// softer; a variation of a few steps keeps it alive. Looks at the events of the same onset only, so that it is final
/// once a later onset stands. Pure. [any thread]
std::uint8_t velocity_of(std::span<const Triplet> events, std::size_t i, std::uint64_t index,
                         const VelocityStyle& style);

/// The notes of `events`, RESTs dropped, each with its velocity; events[0] is the stream's event number `first`. Pure.
/// [any thread]
std::vector<Note> played_notes(std::span<const Triplet> events, std::uint64_t first, const VelocityStyle& style);

}  // namespace midinf
