// Draws events until the music is long enough: what every command that generates does.
// Must not know: files, reports. Read next: stream/generator.h, which draws one event.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/token.h"
#include "model/forward.h"
#include "stream/generator.h"

namespace midinf::cli {

struct MusicLength {
  double seconds = 60;
  std::optional<int> notes;  ///< instead of seconds
};

/// What was generated, and how it went.
struct Music {
  std::vector<Triplet> events;
  Ticks10ms start;     ///< where the new music begins
  Ticks10ms end;       ///< where it ends: nothing sounds longer
  bool stuck = false;  ///< it stood still, and ends there
  double generating_seconds = 0;
  std::uint64_t ids = 0;  ///< drawn and left standing, those of the event behind the end too
  std::uint64_t slides = 0;
  RecoveryCounts recoveries;
};

/// Called after each event: the share of the music that is there, 0..1, its notes, and its length in seconds.
using MusicWatcher = std::function<void(double fraction, int notes, double seconds)>;

/// Continues what stands in `generator`; ends early when interrupted() (terminal.h). Errors: kCorrupt when the network
/// computes infinities.
Result<Music> make_music(const MusicLength& length, Generator& generator, Decoder& decoder, const MusicWatcher& watch);

}  // namespace midinf::cli
