#include "base/general_midi.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string>

namespace midinf {
namespace {

// clang-format off
constexpr std::array<std::string_view, kInstruments> kNames = {
    "Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano", "Honky-tonk Piano",
    "Electric Piano 1", "Electric Piano 2", "Harpsichord", "Clavinet",
    "Celesta", "Glockenspiel", "Music Box", "Vibraphone",
    "Marimba", "Xylophone", "Tubular Bells", "Dulcimer",
    "Drawbar Organ", "Percussive Organ", "Rock Organ", "Church Organ",
    "Reed Organ", "Accordion", "Harmonica", "Tango Accordion",
    "Nylon Guitar", "Steel Guitar", "Jazz Guitar", "Clean Guitar",
    "Muted Guitar", "Overdriven Guitar", "Distortion Guitar", "Guitar Harmonics",
    "Acoustic Bass", "Fingered Bass", "Picked Bass", "Fretless Bass",
    "Slap Bass 1", "Slap Bass 2", "Synth Bass 1", "Synth Bass 2",
    "Violin", "Viola", "Cello", "Contrabass",
    "Tremolo Strings", "Pizzicato Strings", "Orchestral Harp", "Timpani",
    "String Ensemble 1", "String Ensemble 2", "Synth Strings 1", "Synth Strings 2",
    "Choir Aahs", "Voice Oohs", "Synth Voice", "Orchestra Hit",
    "Trumpet", "Trombone", "Tuba", "Muted Trumpet",
    "French Horn", "Brass Section", "Synth Brass 1", "Synth Brass 2",
    "Soprano Sax", "Alto Sax", "Tenor Sax", "Baritone Sax",
    "Oboe", "English Horn", "Bassoon", "Clarinet",
    "Piccolo", "Flute", "Recorder", "Pan Flute",
    "Blown Bottle", "Shakuhachi", "Whistle", "Ocarina",
    "Square Lead", "Sawtooth Lead", "Calliope Lead", "Chiff Lead",
    "Charang Lead", "Voice Lead", "Fifths Lead", "Bass and Lead",
    "New Age Pad", "Warm Pad", "Polysynth Pad", "Choir Pad",
    "Bowed Pad", "Metallic Pad", "Halo Pad", "Sweep Pad",
    "Rain", "Soundtrack", "Crystal", "Atmosphere",
    "Brightness", "Goblins", "Echoes", "Sci-fi",
    "Sitar", "Banjo", "Shamisen", "Koto",
    "Kalimba", "Bagpipe", "Fiddle", "Shanai",
    "Tinkle Bell", "Agogo", "Steel Drums", "Woodblock",
    "Taiko Drum", "Melodic Tom", "Synth Drum", "Reverse Cymbal",
    "Guitar Fret Noise", "Breath Noise", "Seashore", "Bird Tweet",
    "Telephone Ring", "Helicopter", "Applause", "Gunshot",
    "Drums"};

constexpr std::array<std::string_view, 17> kFamilies = {
    "Piano", "Chromatic Percussion", "Organ", "Guitar", "Bass", "Strings", "Ensemble", "Brass", "Reed",
    "Pipe", "Synth Lead", "Synth Pad", "Synth Effects", "Ethnic", "Percussive", "Sound Effects", "Drums"};
// clang-format on

std::string letters_and_digits(std::string_view text) {
  std::string kept;
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)))
      kept += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return kept;
}

}  // namespace

std::string_view instrument_name(int instrument) {
  MIDINF_ASSERT(instrument >= 0 && instrument < kInstruments);
  return kNames[static_cast<std::size_t>(instrument)];
}

std::string_view instrument_family(int instrument) {
  MIDINF_ASSERT(instrument >= 0 && instrument < kInstruments);
  return kFamilies[static_cast<std::size_t>(instrument / 8)];
}

Result<std::vector<int>> find_instruments(std::string_view text) {
  const std::string wanted = letters_and_digits(text);
  const bool has_letters = std::any_of(wanted.begin(), wanted.end(), [](char c) { return c > '9'; });
  if (!wanted.empty() && !has_letters) {
    const auto first = text.find_first_not_of(" \t");
    const std::string_view digits = text.substr(first, text.find_last_not_of(" \t") - first + 1);
    int number = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const bool whole = error == std::errc() && end == digits.data() + digits.size();
    if (whole && number >= 0 && number < kInstruments) return std::vector<int>{number};
    return fail(ErrorCode::kInvalidArgument, "instrument numbers run from 0 (piano) to 127, and 128 is drums",
                fmt::format("'{}'", text));
  }
  std::vector<int> by_name, by_family, by_part;
  for (int i = 0; i < kInstruments && !wanted.empty(); ++i) {
    const std::string name = letters_and_digits(instrument_name(i));
    const std::string family = letters_and_digits(instrument_family(i));
    if (name == wanted) by_name.push_back(i);
    if (family == wanted || family + "s" == wanted || family == wanted + "s") by_family.push_back(i);
    if (name.find(wanted) != std::string::npos) by_part.push_back(i);
  }
  for (const auto& found : {by_name, by_family, by_part})
    if (!found.empty()) return found;
  return fail(
      ErrorCode::kInvalidArgument,
      "no such instrument; give a General MIDI name (violin), a family (piano, bass, strings, brass, …), drums, "
      "or a number from 0 to 128",
      fmt::format("'{}'", text));
}

}  // namespace midinf
