// The commands that need no model: what the network would read of a MIDI file, and a picture of it.
#pragma once

#include <string>

namespace midinf::cli {

struct TokensArguments {
  std::string file;
  bool json = false;
  bool to_midi = false;      ///< the other way round: `file` is what this command prints
  std::string output = "-";  ///< the MIDI file then; "-": standard output
};

/// `midinfinite tokens`: event ids, one triplet a line; or, of such a text, MIDI.
int run_tokens(const TokensArguments& arguments);

struct RollArguments {
  std::string file;
  std::string output;  ///< empty: the file's name with .svg; "-": standard output
  bool json = false;
};

/// `midinfinite roll`: a piano-roll picture.
int run_roll(const RollArguments& arguments);

}  // namespace midinf::cli
