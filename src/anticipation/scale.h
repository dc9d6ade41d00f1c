// Which of the twelve pitch classes sound.
// Read next: pitch_ranges.h, base/pitch_names.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "anticipation/note_rows.h"
#include "base/result.h"

namespace midinf {

/// Narrows the notes to those of a scale. Drums, whose keys are no pitches, and REST stay.
class Scale : public NoteRows {
 public:
  /// Bit n of `pitch_classes`: pitch class n (0 = C) may sound. Precondition: at least one of the twelve.
  explicit Scale(std::uint16_t pitch_classes);
};

/// Reads "C major", "a minor", "F# minor pentatonic", "chromatic" or pitch classes as in "0,2,4,5,7,9,11"; returns them
/// as Settings::scale holds them. Case does not matter. Errors: kInvalidArgument naming what can be typed.
Result<std::uint16_t> parse_scale(std::string_view text);

}  // namespace midinf
