#include "anticipation/pitch_ranges.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/general_midi.h"
#include "base/pitch_names.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

RowRanges rows_of(std::span<const PitchRange> ranges) {
  RowRanges rows = {kNoteRows, {kRest, kRest + 1}};
  for (const PitchRange& range : ranges) {
    const RowRange all = instrument_rows(range.instrument);
    rows.remove({all.begin, all.begin + range.lowest});
    rows.remove({all.begin + range.highest + 1, all.end});
  }
  return rows;
}

void skip_spaces(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
}

}  // namespace

PitchRanges::PitchRanges(std::span<const PitchRange> ranges) : NoteRows(rows_of(ranges)) {}

Result<std::vector<PitchRange>> parse_pitch_ranges(std::string_view text) {
  std::vector<PitchRange> ranges;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const std::size_t colon = part.find(':');
    std::string_view keys = colon == std::string_view::npos ? std::string_view() : part.substr(colon + 1);
    skip_spaces(keys);
    const auto lowest = take_key(keys);
    skip_spaces(keys);
    const bool dash = keys.starts_with('-');
    if (dash) keys.remove_prefix(1);
    skip_spaces(keys);
    const auto highest = take_key(keys);
    skip_spaces(keys);
    if (!lowest || !dash || !highest || !keys.empty() || *lowest > *highest)
      return fail(ErrorCode::kInvalidArgument,
                  "no range; write an instrument, a colon, its lowest and its highest key (0 to 127, or C4 for 60), as "
                  "in bass:28-55 or flute:C4-C7",
                  fmt::format("'{}'", part));
    MIDINF_TRY_ASSIGN(instruments, find_instruments(part.substr(0, colon)));
    for (const int instrument : instruments) ranges.push_back({instrument, *lowest, *highest});
    if (comma == std::string_view::npos) return ranges;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace midinf
