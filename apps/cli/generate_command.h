// `midinfinite generate`: from settings to a .mid, and from it to sound and a picture.
// One note's way through the whole program starts here; docs/a-notes-journey.md follows it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "anticipation/settings.h"

namespace midinf::cli {

struct GenerateArguments {
  std::string output;                 ///< empty: midinfinite-SEED.mid; "-": standard output
  double seconds = 60;                ///< of new music
  std::optional<int> notes;           ///< instead of seconds: how many new notes
  std::string prompt;                 ///< a MIDI file to continue; empty: from scratch
  bool from_middle = false;           ///< begin as in the middle of a piece; only without a prompt
  Settings settings;                  ///< but the seed
  int velocity = 0;                   ///< 1..127 of every new note; 0: accents
  std::optional<std::uint64_t> seed;  ///< of the first take, the next one's is one more; none: a fresh one
  int takes = 1;
  std::string model;
  int threads = 0;           ///< 0: as many as there are processors
  bool float_cache = false;  ///< keys and values in float32
  std::string wav;
  std::string roll;
  bool json = false;
};

int run_generate(const GenerateArguments& arguments);

}  // namespace midinf::cli
