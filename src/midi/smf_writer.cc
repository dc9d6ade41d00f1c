// Read next: note_tracks.cc, which does the work, smf_reader.cc, the reader meant here.
#include "midi/smf_writer.h"

#include <algorithm>

#include "midi/note_tracks.h"

namespace midinf {
namespace {

// 1 ms a tick. A step of 10 ms is then a whole number of ticks, so a reader's sum of doubles rounds to the right step
// (it is off by less than 2 ms after ten million notes and eleven days, half a step being 5 ms), and the one tick that
// a note of no length must sound rounds back to no length.
constexpr std::uint16_t kTicksPerBeat = 500;
constexpr std::uint32_t kMicrosecondsPerBeat = 500'000;
constexpr std::int64_t kTicksPerStep = 10;

}  // namespace

WrittenMidi write_midi(std::span<const Note> notes) {
  std::vector<PlacedNote> placed;
  placed.reserve(notes.size());
  for (const Note* note : by_onset(notes)) {
    const std::int64_t on = note->onset.count() * kTicksPerStep;
    placed.push_back({note, on, on + std::max<std::int64_t>(note->duration.count() * kTicksPerStep, 1)});
  }
  NoteTracks made = make_note_tracks(placed, {}, {}, 1);

  WrittenMidi written{{}, std::move(made.remark)};
  put_header(written.bytes, made.tracks.size() + 1, kTicksPerBeat);
  Track conductor("midinfinite");
  conductor.tempo(0, kMicrosecondsPerBeat);
  put_track(written.bytes, conductor.finish());
  for (Track& track : made.tracks) put_track(written.bytes, track.finish());
  return written;
}

}  // namespace midinf
