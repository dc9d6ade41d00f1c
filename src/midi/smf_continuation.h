// A Standard MIDI File and new notes -> one file: the old one's events as they stand, the new notes behind them.
// Must not know: model ids. Read next: smf_tracks.h, note_tracks.h.
#pragma once

#include <cstddef>
#include <span>

#include "base/note.h"
#include "base/result.h"
#include "midi/smf_writer.h"

namespace midinf {

/// The file `prompt` (its bytes) with `notes` (in any order, none is allowed) in new tracks, one an instrument, placed
/// through its own tempo map; after its last tempo that one holds.
///
/// Every event of the prompt stands unchanged, byte for byte and in its track: notes with their velocities,
/// controllers, tempos, names, system exclusive data. What changes is the frame: format 0 becomes 1, a RIFF container,
/// a longer header and bytes after the last track go, a track without an end gets one. Where the file's ticks are too
/// coarse, its division and all delta times are multiplied by the smallest power of two that lets every new note read
/// back on its step of 10 ms, onset and duration (a power of two, so that a reader's sums of doubles stay the same to
/// the last bit). No such factor may exist: the division has 15 bits, delta times have 28, a SMPTE frame has 255 ticks;
/// then the largest that fits is taken and the notes stand on the nearest ticks.
///
/// Re-reading gives the notes of the prompt exactly as reading the prompt does, since new events only stand at ticks
/// that leave the reader's sum of seconds as it was at the prompt's next event, and then `notes`, except that
/// - nested ones of one key swap their ends, as in write_midi;
/// - a drum that the prompt still holds on the same key ends no earlier than the prompt's, and gets no note-off if that
///   one never ends: MIDI closes the oldest first, and the prompt's notes are not touched.
///
/// A new instrument plays on a channel that the prompt does not use, else on one that it uses no longer, with the
/// controllers reset, else between program changes on one that it does (`remark` says so). Drums share channel 10 and
/// the prompt's kit. Where the last tempo is 0 or below a microsecond a tick, a track of its own sets 120 beats a
/// minute after the prompt's last event.
///
/// Precondition of every note: as for write_midi, and no onset before the last one of the prompt. Errors: as read_midi;
/// kUnsupported when the prompt has so many tracks (65,534) that none can be added, also with no notes to add.
/// [any thread] Cost: two passes over the prompt, a few more over what stands after its last onset; n log n in notes.
Result<WrittenMidi> continue_midi(std::span<const std::byte> prompt, std::span<const Note> notes);

}  // namespace midinf
