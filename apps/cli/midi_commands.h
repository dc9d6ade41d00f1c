// The commands that need no model: what the network would read of a MIDI file, and a picture of it.
#pragma once

#include <string>

namespace midinf::cli {

struct TokensArguments {
  std::string file;
  bool json = false;
};

/// `midinfinite tokens`: event ids, one triplet a line.
int run_tokens(const TokensArguments& arguments);

struct RollArguments {
  std::string file;
  std::string output;  ///< empty: the file's name with .svg; "-": standard output
  bool json = false;
};

/// `midinfinite roll`: a piano-roll picture.
int run_roll(const RollArguments& arguments);

}  // namespace midinf::cli
