// `midinfinite score`: how well a model predicts given music.
#pragma once

#include <string>
#include <vector>

namespace midinf::cli {

struct ScoreArguments {
  std::vector<std::string> files;
  bool tokens = false;  ///< the files hold uint16 rows of 1,024 ids, little endian; else they are MIDI files
  bool exact = false;   ///< float32 arithmetic throughout
  std::string model;
  int threads = 0;
  bool float_cache = false;  ///< keys and values in float32
  bool json = false;
};

int run_score(const ScoreArguments& arguments);

}  // namespace midinf::cli
