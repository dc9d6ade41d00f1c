// How a piano-roll picture looks and speaks: colours, names of drums and keys, numbers and times as text.
// Must not know: notes, where anything stands. Read next: roll_svg.cc.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midinf::cli {

inline constexpr std::string_view kPage = "#0f1118";
inline constexpr std::string_view kRollBack = "#171a24";
inline constexpr std::string_view kBlackKeyRow = "#13161f";
inline constexpr std::string_view kLineStrong = "#323848";
inline constexpr std::string_view kLineWeak = "#1f2431";
inline constexpr std::string_view kTextStrong = "#f1f3f8";
inline constexpr std::string_view kText = "#d3d8e4";
inline constexpr std::string_view kTextMuted = "#8f98ad";

/// What an instrument's notes are filled with.
struct Paint {
  std::string fill;     ///< a colour, or a reference to the pattern
  std::string pattern;  ///< an element for <defs>; empty: a plain colour
};

/// A paint for each of `instruments` (numbers 0..128, the most important first), no two alike. Each GM family has a
/// colour of its own that its first player gets; where 16 colours are not enough there are patterns.
std::vector<Paint> choose_paints(std::span<const int> instruments);

/// The lanes of drums when each key cannot have its own, from top to bottom.
inline constexpr std::array<std::string_view, 7> kDrumFamilyNames = {"Percussion", "Hand drums", "Cymbals", "Hi-hat",
                                                                     "Toms",       "Snare",      "Kick"};
/// The index in kDrumFamilyNames of a percussion key 0..127.
std::size_t drum_family(int key);
/// "Closed hi-hat", or "Key 90" where General MIDI names none.
std::string drum_name(int key);

bool is_black_key(int pitch);
/// "C4" for 60.
std::string note_name(int pitch);

/// 1234567 as "1,234,567".
std::string with_commas(std::size_t number);
/// "1 note", "2 notes".
std::string counted(std::size_t number, std::string_view what);
/// "12.5 s", or "1:02" and "1:02:03" in a `long_piece`.
std::string time_text(double seconds, bool long_piece);

/// How far apart the lines of time are, in seconds.
struct TimeGrid {
  double labelled, weak;
};
/// Labels a comfortable distance apart, in units that a person counts in. Precondition: units_per_second > 0.
TimeGrid time_grid(double units_per_second);

/// `text` as XML character data of at most `max_width` columns (wide scripts take two); an ellipsis where it is cut.
/// What is not valid UTF-8 or has no place in XML becomes U+FFFD.
std::string xml_text(std::string_view text, int max_width);

}  // namespace midinf::cli
