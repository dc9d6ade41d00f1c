#include "anticipation/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "anticipation/settings.h"
#include "base/pitch_names.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

struct Mode {
  std::string_view name;
  std::uint16_t pitch_classes;  // above the tonic, as Settings::scale
};

constexpr std::uint16_t classes(std::initializer_list<int> steps) {
  int bits = 0;
  for (const int step : steps) bits |= 1 << step;
  return static_cast<std::uint16_t>(bits);
}

constexpr Mode kModes[] = {{"major", classes({0, 2, 4, 5, 7, 9, 11})},
                           {"minor", classes({0, 2, 3, 5, 7, 8, 10})},
                           {"harmonic minor", classes({0, 2, 3, 5, 7, 8, 11})},
                           {"melodic minor", classes({0, 2, 3, 5, 7, 9, 11})},
                           {"dorian", classes({0, 2, 3, 5, 7, 9, 10})},
                           {"phrygian", classes({0, 1, 3, 5, 7, 8, 10})},
                           {"lydian", classes({0, 2, 4, 6, 7, 9, 11})},
                           {"mixolydian", classes({0, 2, 4, 5, 7, 9, 10})},
                           {"locrian", classes({0, 1, 3, 5, 6, 8, 10})},
                           {"pentatonic", classes({0, 2, 4, 7, 9})},
                           {"major pentatonic", classes({0, 2, 4, 7, 9})},
                           {"minor pentatonic", classes({0, 3, 5, 7, 10})},
                           {"blues", classes({0, 3, 5, 6, 7, 10})},
                           {"whole tone", classes({0, 2, 4, 6, 8, 10})},
                           {"chromatic", kAllPitchClasses}};

// Lower case, one space between words, none around.
std::string plain(std::string_view text) {
  std::string words;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t';
    if (!space) words += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (space && !words.empty() && words.back() != ' ') words += ' ';
  }
  if (!words.empty() && words.back() == ' ') words.pop_back();
  return words;
}

std::optional<std::uint16_t> parse_pitch_classes(std::string_view text) {
  int bits = 0;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    int pitch_class = -1;
    const char* const end = text.data() + text.size();
    const char* at = std::from_chars(text.data(), end, pitch_class).ptr;
    if (pitch_class < 0 || pitch_class > 11) return {};
    bits |= 1 << pitch_class;
    while (at != end && *at == ' ') ++at;
    if (at == end) return static_cast<std::uint16_t>(bits);
    if (*at != ',') return {};
    text.remove_prefix(static_cast<std::size_t>(at + 1 - text.data()));
  }
}

std::optional<std::uint16_t> parse_name(std::string_view text) {
  if (text == "chromatic") return kAllPitchClasses;
  const auto tonic = take_pitch_class(text);
  if (!tonic || !text.starts_with(' ')) return {};
  const auto* mode = std::find_if(std::begin(kModes), std::end(kModes),
                                  [&](const Mode& known) { return known.name == text.substr(1); });
  if (mode == std::end(kModes)) return {};
  const int twice = mode->pitch_classes << *tonic;
  return static_cast<std::uint16_t>((twice | twice >> 12) & kAllPitchClasses);
}

RowRanges rows_of(std::uint16_t pitch_classes) {
  RowRanges rows;
  for (TokenId note = kNoteBase; note < instrument_rows(kDrums).begin; ++note)
    if (pitch_classes >> ((note - kNoteBase) % kPitches % 12) & 1) rows.add({note, note + 1});
  rows.add({instrument_rows(kDrums).begin, kRest + 1});
  return rows;
}

}  // namespace

Scale::Scale(std::uint16_t pitch_classes) : NoteRows(rows_of(pitch_classes)) {}

Result<std::uint16_t> parse_scale(std::string_view text) {
  const std::string words = plain(text);
  if (const auto named = parse_name(words)) return *named;
  if (const auto listed = parse_pitch_classes(words)) return *listed;
  std::string names;
  for (const Mode& mode : kModes) names += (names.empty() ? "" : ", ") + std::string(mode.name);
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("no scale; write a tonic and one of {}, as in 'F# minor', or pitch classes, as in 0,2,4,7,9", names),
      fmt::format("'{}'", text));
}

}  // namespace midinf
