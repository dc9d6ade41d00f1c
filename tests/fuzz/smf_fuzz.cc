// libFuzzer: any bytes are a song or an error, and whatever is read can be written, continued and read again.
// Seeds: tests/data/midi and its edge-cases. Read next: src/midi/smf_reader.cc.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "midi/smf_continuation.h"
#include "midi/smf_reader.h"
#include "midi/smf_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace midinf;
  const auto song = read_midi(std::as_bytes(std::span(data, size)));
  if (!song) {
    MIDINF_ASSERT(!song.error().message.empty() && !song.error().where.empty());
    return 0;
  }
  MIDINF_ASSERT(std::ranges::is_sorted(song->notes, {}, &Note::onset));
  for (const Note& note : song->notes) {
    MIDINF_ASSERT(note.onset.count() >= 0 && note.duration.count() >= 0);
    MIDINF_ASSERT(note.instrument < kInstruments && note.pitch < 128 && note.velocity > 0);
  }
  const auto again = read_midi(write_midi(song->notes).bytes);
  MIDINF_ASSERT(again.has_value());
  MIDINF_ASSERT(again->notes.size() == song->notes.size());

  // Continued, it stands, and what is new is there. (Not so near the latest onset that coarse ticks might pass it.)
  const Ticks10ms last = song->notes.empty() ? Ticks10ms(0) : song->notes.back().onset;
  if (to_seconds(last).count() > static_cast<double>(kMaxSongSeconds) / 2) return 0;
  std::vector<Note> added;
  for (int i = 0; i < 20; ++i)
    added.push_back({last + Ticks10ms(7 * i), Ticks10ms(5 * i), static_cast<std::uint8_t>(i % 3 == 0 ? kDrums : 6 * i),
                     static_cast<std::uint8_t>(40 + i % 5)});
  const auto continued = continue_midi(std::as_bytes(std::span(data, size)), added);
  if (!continued) return 0;
  const auto longer = read_midi(continued->bytes);
  MIDINF_ASSERT(longer.has_value());
  MIDINF_ASSERT(longer->notes.size() == song->notes.size() + added.size());
  for (std::size_t i = 0; i < song->notes.size(); ++i) {
    const Note &before = song->notes[i], &after = longer->notes[i];
    MIDINF_ASSERT(before.onset == after.onset && before.instrument == after.instrument);
    MIDINF_ASSERT(before.pitch == after.pitch && before.velocity == after.velocity);
  }
  return 0;
}
