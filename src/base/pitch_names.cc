#include "base/pitch_names.h"

#include <charconv>

namespace midinf {
namespace {

// The pitch of a letter and its accidentals, above the C below it: -1 for Cb.
std::optional<int> take_letter(std::string_view& text) {
  constexpr std::string_view kLetters = "c d ef g a b";
  if (text.empty()) return {};
  const char letter = static_cast<char>(text.front() | 0x20);
  const std::size_t found = kLetters.find(letter);
  if (letter == ' ' || found == std::string_view::npos) return {};
  int pitch = static_cast<int>(found);
  for (text.remove_prefix(1); text.starts_with('#') || text.starts_with('b'); text.remove_prefix(1))
    pitch += text.front() == '#' ? 1 : -1;
  return pitch;
}

std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

std::optional<int> take_pitch_class(std::string_view& text) {
  const auto pitch = take_letter(text);
  if (!pitch) return {};
  return (*pitch % 12 + 12) % 12;
}

std::optional<int> take_key(std::string_view& text) {
  std::string_view rest = text;
  const auto pitch = take_letter(rest);
  const auto number = take_number(rest);
  if (!number || *number < -1 || *number > 127) return {};
  const int key = pitch ? 12 * (*number + 1) + *pitch : *number;
  if (key < 0 || key > 127) return {};
  text = rest;
  return key;
}

}  // namespace midinf
