// `midinfinite streamability`: how often music can play while it is being generated, as in the first MIDInfinite's
// paper.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anticipation/settings.h"
#include "base/result.h"
#include "base/time.h"

namespace midinf::cli {

/// A speed of generation to judge.
struct NamedSpeed {
  std::string name;
  double speed = 0;  ///< tokens a second
};

/// "155" or "mini in a browser=155". Errors: kInvalidArgument for what is no number from 0.01 to 1,000,000.
Result<NamedSpeed> parse_speed(std::string_view text);

inline constexpr std::size_t kMostBuffers = 4;
/// "0,2": one to four lengths from 0 to 600 s. Errors: kInvalidArgument.
Result<std::vector<Seconds>> parse_buffers(std::string_view text);

struct StreamabilityArguments {
  int generations = 100;
  double seconds = 60;                ///< of each
  Settings settings;                  ///< but the seed
  std::optional<std::uint64_t> seed;  ///< of the first, the next one's is one more; none: a fresh one
  std::vector<NamedSpeed> speeds;     ///< none: the speed measured
  std::vector<Seconds> buffers = {Seconds(0), Seconds(2)};
  std::string model;
  int threads = 0;           ///< 0: as many as there are processors
  bool float_cache = false;  ///< keys and values in float32
  std::string plot;          ///< an SVG file; empty: none
  bool json = false;
};

int run_streamability(const StreamabilityArguments& arguments);

}  // namespace midinf::cli
