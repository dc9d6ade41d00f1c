// `midinfinite bench`: how fast a model runs on this machine, and how near that is to what its memory allows.
// Read next: bench_measure.h (what is measured), make_music.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace midinf::cli {

/// What can be measured, each for itself.
inline const std::vector<std::string> kBenchParts = {"load", "first-note", "prefill", "decode", "music", "slide"};

struct BenchArguments {
  std::string model;
  int threads = 0;                ///< 0: as many as there are processors
  bool float_cache = false;       ///< keys and values in float32
  double seconds = 60;            ///< of music in each round
  std::optional<int> notes;       ///< instead of seconds
  int rounds = 10;                ///< in each, everything is measured once
  std::vector<std::string> only;  ///< of kBenchParts; empty: all
  int notes_per_second = 0;       ///< that the music is held to; 0: as the model likes
  bool json = false;
};

int run_bench(const BenchArguments& arguments);

}  // namespace midinf::cli
