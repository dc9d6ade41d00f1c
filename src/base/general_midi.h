// General MIDI's instruments by name, family and number.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/note.h"
#include "base/result.h"

namespace midinf {

/// The GM name of a program, "Acoustic Grand Piano" for 0, or "Drums" for 128. Precondition: 0 <= instrument < 129.
std::string_view instrument_name(int instrument);

/// The GM family ("Piano", "Chromatic Percussion", …, "Drums") of an instrument. Precondition as above.
std::string_view instrument_family(int instrument);

/// The instruments that a person may mean by `text`: a number 0..128, a GM name, a family, or a part of a name
/// ("violin", "strings", "drums"); case, spaces and punctuation do not matter. A whole name wins over a family, a
/// family over a part. Errors: kInvalidArgument when nothing matches, with the nearest thing to type.
Result<std::vector<int>> find_instruments(std::string_view text);

}  // namespace midinf
