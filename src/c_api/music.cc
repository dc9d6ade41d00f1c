// What needs no network: names, scales, MIDI files, tokens.
#include <fmt/format.h>

#include "anticipation/ensemble.h"
#include "anticipation/scale.h"
#include "base/general_midi.h"
#include "c_api/boundary.h"
#include "c_api/notes.h"
#include "midi/smf_continuation.h"
#include "midi/smf_reader.h"
#include "midi/smf_writer.h"
#include "tokens/triplets.h"

using namespace midinf;

extern "C" {

const char* midinf_instrument_name(int instrument) {
  return instrument >= 0 && instrument < kInstruments ? instrument_name(instrument).data() : nullptr;  // a literal
}

midinf_status midinf_parse_ensemble(const char* text, int32_t* instruments, size_t capacity, size_t* count) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(text, "text"));
    MIDINF_TRY(check_array_out(instruments, capacity, count, "instruments"));
    MIDINF_TRY_ASSIGN(found, parse_ensemble(text));
    array_out(found, instruments, capacity, count, [](int instrument) { return instrument; });
    return {};
  });
}

midinf_status midinf_parse_scale(const char* text, uint16_t* mask) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(text, "text"));
    MIDINF_TRY(require(mask, "mask"));
    MIDINF_TRY_ASSIGN(scale, parse_scale(text));
    *mask = scale;
    return {};
  });
}

midinf_status midinf_midi_read(const void* bytes, size_t size, midinf_note* notes, size_t capacity, size_t* count) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY_ASSIGN(file, bytes_in(bytes, size, "bytes"));
    MIDINF_TRY(check_array_out(notes, capacity, count, "notes"));
    MIDINF_TRY_ASSIGN(song, read_midi(file));
    array_out(song.notes, notes, capacity, count, [](const Note& note) { return note_out(note); });
    return {};
  });
}

midinf_status midinf_midi_write(const midinf_note* notes, size_t count, void** bytes, size_t* size) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(bytes, "bytes"));
    MIDINF_TRY(require(size, "size"));
    MIDINF_TRY_ASSIGN(all, notes_in(notes, count, kMaxSongSteps, "notes"));
    bytes_out(write_midi(all).bytes, bytes, size);
    return {};
  });
}

midinf_status midinf_midi_continue(const void* prompt, size_t prompt_size, const midinf_note* notes, size_t count,
                                   void** bytes, size_t* size) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY_ASSIGN(file, bytes_in(prompt, prompt_size, "prompt"));
    MIDINF_TRY(require(bytes, "bytes"));
    MIDINF_TRY(require(size, "size"));
    MIDINF_TRY_ASSIGN(all, notes_in(notes, count, kMaxSongSteps, "notes"));
    MIDINF_TRY_ASSIGN(song, read_midi(file));
    const Ticks10ms last = song.notes.empty() ? Ticks10ms(0) : song.notes.back().onset;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].onset < last)
        return refuse(fmt::format("[{}] begins at {}, before the prompt's last note, at {}", i, all[i].onset.count(),
                                  last.count()),
                      "notes");
    MIDINF_TRY_ASSIGN(written, continue_midi(file, all));
    bytes_out(written.bytes, bytes, size);
    return {};
  });
}

midinf_status midinf_tokens_from_notes(const midinf_note* notes, size_t count, int32_t* ids, size_t capacity,
                                       size_t* id_count) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(check_array_out(ids, capacity, id_count, "ids"));
    MIDINF_TRY_ASSIGN(all, notes_in(notes, count, kMaxSongSteps, "notes"));
    array_out(flatten(to_triplets(all)), ids, capacity, id_count, [](TokenId id) { return id; });
    return {};
  });
}

midinf_status midinf_tokens_to_notes(const int32_t* ids, size_t id_count, midinf_note* notes, size_t capacity,
                                     size_t* count) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY_ASSIGN(given, array_in(ids, id_count, "ids"));
    MIDINF_TRY(check_array_out(notes, capacity, count, "notes"));
    MIDINF_TRY_ASSIGN(triplets, triplets_from_ids(given));
    array_out(to_notes(triplets), notes, capacity, count, [](const Note& note) { return note_out(note); });
    return {};
  });
}
}
