// Notes of C as ours, and back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/note.h"
#include "base/result.h"
#include "c_api/boundary.h"
#include "stream/generator.h"
#include "stream/stream.h"

namespace midinf {

/// Errors: kInvalidArgument naming the first note that is none, or that ends after `longest` steps.
Result<std::vector<Note>> notes_in(const midinf_note* notes, std::size_t count, std::int64_t longest,
                                   const char* argument);

/// What goes on from `notes`, none of which may begin later than a day.
Result<Prompt> prompt_in(const midinf_note* notes, std::size_t count);

midinf_note note_out(const Note& note, EventIndex event = 0);
inline midinf_note stream_note_out(const StreamNote& note) {
  return note_out(note.note, note.event);
}

}  // namespace midinf
