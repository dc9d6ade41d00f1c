// Standard MIDI Files -> notes, with the exact semantics of the model's training data (AMT.md, "MIDI -> events").
// Must not know: model ids. Read next: smf_writer.h, tokens/triplets.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/note.h"
#include "base/result.h"

namespace midinf {

/// Larger files are refused before they are read.
inline constexpr std::uint64_t kMaxMidiFileBytes = 64 << 20;
/// A file with more notes is refused: at 24 bytes a note they would take half a gigabyte.
inline constexpr std::size_t kMaxMidiFileNotes = 10'000'000;

/// What a MIDI file holds, as far as the model is concerned.
struct MidiSong {
  std::vector<Note> notes;            ///< in merged file order, which is onset order; none is a song too
  std::vector<std::string> warnings;  ///< oddities that were read past, one line each, at most one of a kind
};

/// The notes of a format 0 or 1 file, also inside a RIFF container (RMID). Durations are as the file has them, of any
/// length: it is the vocabulary that ends at 999 steps (tokens/triplets.h). A note that is never closed lasts 250 ms.
/// Errors, where = "byte N": kCorrupt when the bytes break the format; kUnsupported for format 2, more than
/// kMaxMidiFileBytes or kMaxMidiFileNotes, or more than kMaxSongSeconds (smf_writer.h) of music.
/// [any thread] Cost: one pass, n log(tracks); memory for the notes only.
/// Source: anticipation/convert.py@af37397 midi_to_compound and mido 1.2.10; differences are listed in smf_reader.cc.
Result<MidiSong> read_midi(std::span<const std::byte> bytes);

/// The same from a file; "-" is standard input. Errors also: kNotFound, kIo. [any thread]
Result<MidiSong> read_midi_file(const std::string& path);

}  // namespace midinf
