#include "roll_style.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <bitset>
#include <cmath>
#include <iterator>

#include "base/note.h"

namespace midinf::cli {
namespace {

// --- Colours --------------------------------------------------------------------------------------------------------

constexpr std::string_view kDrumColour = "#e9e4d8";

// Found by a search for the largest smallest distance (OKLab) among all pairs, as seen with normal vision, protanopia,
// deuteranopia and tritanopia (Machado et al. 2009), on the dark page and without muddy tones: 0.083 for all 16 and the
// drums' colour. The order is farthest first, so that few instruments are far apart: 0.17 for the first four.
constexpr std::array<std::string_view, 16> kPalette = {"#5ea8f9", "#f99532", "#aefe92", "#b75b97", "#dc532d", "#bd89c2",
                                                       "#f1a3c2", "#fbd509", "#9862cb", "#7783fe", "#98dcfb", "#aab97f",
                                                       "#e76889", "#15985b", "#addb88", "#9dbdff"};

// Each GM family's own place in the palette, so that a piano tends to be blue in every picture.
constexpr std::array<std::size_t, 16> kFamilyColour = {
    /*piano*/ 0,    /*chromatic*/ 14, /*organ*/ 8,       /*guitar*/ 2,
    /*bass*/ 1,     /*strings*/ 6,    /*ensemble*/ 5,    /*brass*/ 4,
    /*reed*/ 3,     /*pipe*/ 7,       /*lead*/ 9,        /*pad*/ 10,
    /*effects*/ 15, /*ethnic*/ 13,    /*percussive*/ 12, /*sounds*/ 11};

/// The paint of a program; from index 16 on a pattern in that colour.
Paint paint_of(int program, std::size_t index) {
  const std::string_view colour = kPalette[index % kPalette.size()];
  const std::size_t cycle = index / kPalette.size();
  if (cycle == 0) return {.fill = std::string(colour), .pattern = {}};
  // Dark stripes in four directions, then light ones: 8 x 16 hold all 128 programs.
  return {.fill = fmt::format("url(#mr-p{})", program),
          .pattern = fmt::format(
              R"svg(<pattern id="mr-p{0}" width="5" height="5" patternUnits="userSpaceOnUse" )svg"
              R"svg(patternTransform="rotate({1})"><path fill="{2}" d="M0 0h5v5h-5z"/><path fill="{3}" d="M0 )svg"
              R"svg(0h2v5h-2z"/></pattern>)svg",
              program, (cycle - 1) % 4 * 45 + 45, colour, cycle <= 4 ? "#10131b" : "#fff")};
}

// --- Percussion -----------------------------------------------------------------------------------------------------

// The families of kDrumFamilyNames as letters.
constexpr std::string_view kDrumFamilyLetters = "pdchtsk";

// The General MIDI 2 percussion keys from 27 on, and the family of each as its letter.
constexpr int kFirstDrumKey = 27;
constexpr std::array<std::string_view, 61> kDrumNames = {
    "High Q",         "Slap",           "Scratch push",   "Scratch pull",  "Sticks",
    "Square click",   "Metronome",      "Metronome bell", "Kick 2",        "Kick",
    "Side stick",     "Snare",          "Hand clap",      "Snare 2",       "Floor tom low",
    "Closed hi-hat",  "Floor tom high", "Pedal hi-hat",   "Low tom",       "Open hi-hat",
    "Low-mid tom",    "High-mid tom",   "Crash",          "High tom",      "Ride",
    "China",          "Ride bell",      "Tambourine",     "Splash",        "Cowbell",
    "Crash 2",        "Vibraslap",      "Ride 2",         "High bongo",    "Low bongo",
    "Mute conga",     "High conga",     "Low conga",      "High timbale",  "Low timbale",
    "High agogo",     "Low agogo",      "Cabasa",         "Maracas",       "Short whistle",
    "Long whistle",   "Short guiro",    "Long guiro",     "Claves",        "High wood block",
    "Low wood block", "Mute cuica",     "Open cuica",     "Mute triangle", "Open triangle",
    "Shaker",         "Jingle bell",    "Bell tree",      "Castanets",     "Mute surdo",
    "Open surdo"};
constexpr std::string_view kDrumFamilyOfKey = "ppppppppkkssssthththttctcccpcpcpcdddddddpppppppppppppppppppdd";
static_assert(kDrumFamilyOfKey.size() == kDrumNames.size());

/// Its index in kDrumNames, or beyond them for a key that General MIDI leaves open.
std::size_t drum_index(int key) {
  return static_cast<std::size_t>(key - kFirstDrumKey);
}

// --- Text -----------------------------------------------------------------------------------------------------------

/// The length of the valid UTF-8 sequence at the start of `text`, or 0; `code` receives its code point.
std::size_t utf8_sequence(std::string_view text, char32_t& code) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto ones = static_cast<std::size_t>(std::countl_one(byte(0)));
  const std::size_t length = ones == 0 ? 1 : ones;
  if (ones == 1 || length > 4 || length > text.size()) return 0;
  code = byte(0) & (0xFF >> ones);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = (code << 6) | (byte(i) & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  return code >= kSmallest[length] && code <= 0x10FFFF ? length : 0;
}

}  // namespace

std::vector<Paint> choose_paints(std::span<const int> instruments) {
  std::vector<Paint> paints(instruments.size());
  // First each family's leading player takes the family's colour, then the others take what is left.
  std::bitset<kPalette.size()> taken;
  for (std::size_t i = 0; i < instruments.size(); ++i) {
    if (instruments[i] == kDrums) {
      paints[i].fill = kDrumColour;
      continue;
    }
    const std::size_t colour = kFamilyColour[static_cast<std::size_t>(instruments[i] / 8)];
    if (taken.test(colour)) continue;
    taken.set(colour);
    paints[i] = paint_of(instruments[i], colour);
  }
  std::size_t next = 0;
  for (std::size_t i = 0; i < instruments.size(); ++i) {
    if (!paints[i].fill.empty()) continue;
    while (next < taken.size() && taken.test(next)) ++next;
    paints[i] = paint_of(instruments[i], next++);
  }
  return paints;
}

std::size_t drum_family(int key) {
  const std::size_t index = drum_index(key);
  return index < kDrumNames.size() ? kDrumFamilyLetters.find(kDrumFamilyOfKey[index]) : 0;
}

std::string drum_name(int key) {
  const std::size_t index = drum_index(key);
  return index < kDrumNames.size() ? std::string(kDrumNames[index]) : fmt::format("Key {}", key);
}

bool is_black_key(int pitch) {
  return (0b010101001010 >> (pitch % 12)) & 1;
}

std::string note_name(int pitch) {
  constexpr std::string_view kNames[] = {"C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"};
  return fmt::format("{}{}", kNames[pitch % 12], pitch / 12 - 1);
}

std::string with_commas(std::size_t number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string counted(std::size_t number, std::string_view what) {
  return fmt::format("{} {}{}", with_commas(number), what, number == 1 ? "" : "s");
}

std::string time_text(double seconds, bool long_piece) {
  const double tenths = std::round(seconds * 10);
  if (!long_piece) return fmt::format("{:g} s", tenths / 10);
  const double whole = std::floor(tenths / 10);
  const double hours = std::floor(whole / 3600);
  const double minutes = std::floor((whole - hours * 3600) / 60);
  const double rest = whole - hours * 3600 - minutes * 60;
  return hours > 0 ? fmt::format("{:.0f}:{:02.0f}:{:02.0f}", hours, minutes, rest)
                   : fmt::format("{:.0f}:{:02.0f}", minutes, rest);
}

std::string xml_text(std::string_view text, int max_width) {
  std::string out;
  int width = 0;
  while (!text.empty()) {
    char32_t code = 0;
    const std::size_t length = utf8_sequence(text, code);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    width += code >= 0x1100 ? 2 : 1;
    if (width > max_width) return out + "…";
    text.remove_prefix(character.size());
    // XML has no place for surrogates, U+FFFE, U+FFFF and the control characters, not even escaped.
    const bool forbidden = length == 0 || (code >= 0xD800 && code < 0xE000) || code == 0xFFFE || code == 0xFFFF;
    if (forbidden) {
      out += "\uFFFD";
    } else if (code < 0x20 || (code >= 0x7F && code < 0xA0)) {
      out += ' ';
    } else if (code == '&') {
      out += "&amp;";
    } else if (code == '<') {
      out += "&lt;";
    } else if (code == '>') {
      out += "&gt;";
    } else {
      out += character;
    }
  }
  return out;
}

TimeGrid time_grid(double units_per_second) {
  constexpr double kLabelDistance = 72;
  // clang-format off
  constexpr TimeGrid kGrids[] = {{0.5, 0.1}, {1, 0.5},   {2, 0.5},   {5, 1},     {10, 2},     {15, 5},     {30, 5},      {60, 15},
                                 {120, 30},  {300, 60},  {600, 120}, {900, 300}, {1800, 300}, {3600, 900}, {7200, 1800}, {14400, 3600}};
  // clang-format on
  const auto crowded = [&](const TimeGrid& grid) { return grid.labelled * units_per_second < kLabelDistance; };
  TimeGrid grid = *std::find_if_not(std::begin(kGrids), std::end(kGrids) - 1, crowded);
  while (crowded(grid)) grid = {grid.labelled * 2, grid.weak * 2};
  return grid;
}

}  // namespace midinf::cli
