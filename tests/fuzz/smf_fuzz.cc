// libFuzzer: any bytes are a song or an error, and whatever is read can be written and read again.
// Seeds: tests/data/midi and its edge-cases. Read next: src/midi/smf_reader.cc.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
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
  return 0;
}
