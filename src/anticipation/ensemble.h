// Who plays: only the chosen instruments (and REST) may be drawn as notes.
// Read next: base/general_midi.h, which finds instruments by name.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "anticipation/note_rows.h"
#include "base/result.h"

namespace midinf {

/// Narrows the note slot to some instruments. REST stays possible: an ensemble may be silent.
class Ensemble : public NoteRows {
 public:
  /// Precondition: every instrument is 0..128, at least one.
  explicit Ensemble(std::span<const int> instruments);
};

/// Reads "piano,bass,drums" or "0,33,128": GM names, families, parts of names and numbers, separated by commas.
/// Returns the instruments sorted, each once. Errors: kInvalidArgument naming the part that is wrong.
Result<std::vector<int>> parse_ensemble(std::string_view text);

}  // namespace midinf
