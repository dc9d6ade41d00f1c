// One note of music, as every layer exchanges it: no model ids, no MIDI bytes.
// Read next: midi/smf_reader.h (where notes come from), tokens/triplets.h (what the model sees of them).
#pragma once

#include <compare>
#include <cstdint>

#include "base/time.h"

namespace midinf {

inline constexpr int kDrums = 128;        ///< the instrument number of the drum kit; 0..127 are GM programs
inline constexpr int kInstruments = 129;  ///< GM programs and drums
inline constexpr std::uint8_t kDefaultVelocity = 80;

/// A note: when it starts, how long it lasts (both in steps of 10 ms), who plays it and which key.
struct Note {
  Ticks10ms onset;
  Ticks10ms duration;
  std::uint8_t instrument = 0;               ///< 0..127 General MIDI program, 128 drums
  std::uint8_t pitch = 60;                   ///< MIDI key 0..127; for drums, the percussion key
  std::uint8_t velocity = kDefaultVelocity;  ///< 1..127; the model neither reads nor writes it

  bool operator==(const Note&) const = default;
};

}  // namespace midinf
