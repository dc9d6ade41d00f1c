// How high and how low each instrument plays.
// Read next: scale.h (which of those keys), base/pitch_names.h.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "anticipation/note_rows.h"
#include "anticipation/settings.h"

namespace midinf {

/// Narrows the notes of the instruments that have a range to it; the others play every key, and REST stays.
class PitchRanges : public NoteRows {
 public:
  /// Precondition: every range is valid, at most one an instrument (check_settings).
  explicit PitchRanges(std::span<const PitchRange> ranges);
};

/// Reads "bass:28-55,piano:C3-C6": names as parse_ensemble takes them (each instrument that a name means gets the
/// range), keys as MIDI numbers or as note names with C4 = 60. Errors: kInvalidArgument naming the part that is wrong.
Result<std::vector<PitchRange>> parse_pitch_ranges(std::string_view text);

}  // namespace midinf
