#include "c_api/notes.h"

#include <fmt/format.h>

#include "midi/smf_reader.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

constexpr std::int64_t kDay = 24 * 60 * 60 * kTicksPerSecond;

}  // namespace

Result<std::vector<Note>> notes_in(const midinf_note* notes, std::size_t count, std::int64_t longest,
                                   const char* argument) {
  MIDINF_TRY_ASSIGN(given, array_in(notes, count, argument));
  if (count > kMaxMidiFileNotes) return refuse(fmt::format("has more than {} notes", kMaxMidiFileNotes), argument);
  std::vector<Note> all;
  all.reserve(count);
  for (const midinf_note& note : given) {
    if (note.onset < 0 || note.onset > longest || note.duration < 0 || note.duration > longest - note.onset ||
        note.instrument >= kInstruments || note.pitch >= kPitches)
      return refuse(fmt::format("[{}] is no note: onset {}, duration {}, instrument {}, pitch {}; all of it must lie "
                                "between 0 and {} steps of 10 ms",
                                all.size(), note.onset, note.duration, note.instrument, note.pitch, longest),
                    argument);
    all.push_back({Ticks10ms(note.onset), Ticks10ms(note.duration), note.instrument, note.pitch, note.velocity});
  }
  return all;
}

Result<Prompt> prompt_in(const midinf_note* notes, std::size_t count) {
  MIDINF_TRY_ASSIGN(all, notes_in(notes, count, kDay, "prompt"));
  return continue_piece(all);
}

midinf_note note_out(const Note& note, EventIndex event) {
  return {.onset = note.onset.count(),
          .duration = static_cast<std::int32_t>(note.duration.count()),
          .instrument = note.instrument,
          .pitch = note.pitch,
          .velocity = note.velocity,
          .reserved = 0,
          .event = event};
}

}  // namespace midinf
