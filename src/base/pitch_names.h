// Pitches as musicians write them: F#, Bb, C4.
#pragma once

#include <optional>
#include <string_view>

namespace midinf {

/// Takes a letter a..g or A..G and any accidentals (# or b) off the front of `text`: the pitch class 0..11, 0 = C.
/// Nothing, and `text` as it was, if there is none.
std::optional<int> take_pitch_class(std::string_view& text);

/// Takes a MIDI key off the front of `text`: a number 0..127, or a name with its octave (C-1 = 0, C4 = 60, G9 = 127).
/// Nothing, and `text` as it was, if there is none.
std::optional<int> take_key(std::string_view& text);

}  // namespace midinf
