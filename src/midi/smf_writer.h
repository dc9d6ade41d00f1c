// Notes -> a Standard MIDI File (format 1, one named track per instrument in order of first appearance).
// Must not know: model ids. Read next: smf_reader.h, which reads back what this writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/note.h"

namespace midinf {

/// How long a song may last, in seconds: 115 days. The reader refuses what goes beyond, the writer must not be asked.
inline constexpr std::int64_t kMaxSongSeconds = 10'000'000;

/// A file's bytes, and what had to be done to fit the notes into it.
struct WrittenMidi {
  std::vector<std::byte> bytes;
  /// Empty, or one line: more than 15 pitched instruments share channels by program changes.
  std::string remark;
};

/// The file that plays `notes`, given in any order. Re-reading it gives the same notes, velocity included, except that
/// nested notes of one key and instrument swap their ends: MIDI closes the oldest first.
///
/// One file tick is 1 ms (500 a beat, 120 beats a minute). Drums go on channel 10. Each pitched instrument has a
/// channel of its own up to 15 of them; beyond that a channel changes its program, when silent if there is such a
/// channel, else beside a sounding instrument, and `remark` says so. A note of no length sounds 1 ms. Precondition:
/// onset >= 0, duration >= 0, end <= kMaxSongSeconds, instrument <= 128, pitch <= 127. Velocity is brought into 1..127.
/// [any thread] Cost: n log n, about 12 bytes a note. Source: anticipation/convert.py@af37397 compound_to_midi, less
/// its limit to 15 instruments.
WrittenMidi write_midi(std::span<const Note> notes);

}  // namespace midinf
