// Draws events until the music is long enough: what every command that generates does.
// Must not know: files, reports. Read next: stream/generator.h, which draws one event.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
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
  Ticks10ms start;                ///< where the new music begins
  Ticks10ms end;                  ///< where it ends: nothing sounds longer
  bool stuck = false;             ///< it stood still, and ends there
  double generating_seconds = 0;  ///< its share of the time of the passes it had a part in
  std::uint64_t ids = 0;          ///< drawn and left standing, those of the event behind the end too
  std::uint64_t slides = 0;
  RecoveryCounts recoveries;
};

/// Music in the making: a generator, the decoder that answers it, and what has come of them.
class MusicMaker {
 public:
  /// Continues what stands in `generator`. Both must outlive it.
  MusicMaker(const MusicLength& length, Generator& generator, Decoder& decoder);

  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] double fraction() const;  ///< of the music that is there, 0..1
  [[nodiscard]] double seconds() const;   ///< of music that is there
  [[nodiscard]] int notes() const { return notes_; }
  /// What is there, and how it went.
  Music finish();

  /// Draws one id for each, answered together (Decoder::answer): company changes no note. Precondition: none has ended.
  /// Errors: kCorrupt when the network computes infinities.
  static Result<void> step(std::span<MusicMaker* const> makers);

 private:
  void take_in(std::span<float> logits);

  MusicLength length_;
  Generator& generator_;
  Decoder& decoder_;
  EventIndex first_;
  Music music_;
  int notes_ = 0, without_progress_ = 0;
  bool ended_ = false;
};

/// Called after each id: the share of the music that is there, 0..1, its notes, and its length in seconds.
using MusicWatcher = std::function<void(double fraction, int notes, double seconds)>;

/// Continues what stands in `generator`; ends early when interrupted() (terminal.h). Errors: as MusicMaker::step.
Result<Music> make_music(const MusicLength& length, Generator& generator, Decoder& decoder, const MusicWatcher& watch);

}  // namespace midinf::cli
