// The events of a Standard MIDI File in the order in which it plays: its tracks stepped through and merged, with the
// time of each in ticks and in seconds. What every event is made of, but not what it means to music. Must not know:
// notes. Read next: smf_reader.h (notes out of events), smf_continuation.h (more notes after them).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace midinf {

inline constexpr int kChannels = 16;
inline constexpr int kDrumChannel = 9;                   ///< MIDI's channel 10
inline constexpr std::uint32_t kDefaultTempo = 500'000;  ///< microseconds per beat, until a file says otherwise
inline constexpr std::uint32_t kMaxDelta = 0x0FFF'FFFF;  ///< the most ticks that a delta time of four bytes holds

/// Halves to even, as Python's round: the steps of 10 ms that the model is trained on.
Ticks10ms to_steps(double seconds);

/// The error of a file that cannot be read because of what stands at a byte, or that is more than we handle.
tl::unexpected<Error> unsupported_midi(std::size_t at, std::string message);

/// How long a tick is. Of a beat, which tempo events stretch, or of a second (SMPTE), which nothing does.
struct Division {
  std::uint16_t word = 0;       ///< as the header has it
  int ticks_per_beat = 0;       ///< 0: SMPTE
  double seconds_per_tick = 0;  ///< SMPTE only

  [[nodiscard]] double seconds_per_tick_at(std::uint32_t tempo) const {
    // In this order of operations, as mido has it: another order rounds some onsets to another step.
    return ticks_per_beat == 0 ? seconds_per_tick : static_cast<double>(tempo) * 1e-6 / ticks_per_beat;
  }
};

/// What one event of a track is to us.
struct Message {
  enum class Kind : std::uint8_t {
    kOther,  ///< nothing of the kinds below: texts, system exclusive data, …
    kNoteOn,
    kNoteOff,
    kProgram,
    kController,
    kExpression,  ///< a bend or a pressure
    kTempo,
    kEndOfTrack
  };
  Kind kind = Kind::kOther;
  std::uint8_t channel = 0;
  std::uint8_t first = 0;   ///< pitch, program or controller
  std::uint8_t second = 0;  ///< velocity or value
  std::uint32_t tempo = 0;

  /// True when it belongs to one channel.
  [[nodiscard]] bool on_channel() const { return kind >= Kind::kNoteOn && kind <= Kind::kExpression; }
};

/// Steps through one MTrk chunk. `bytes` is the whole file up to the chunk's end, so that positions are the file's.
class TrackReader {
 public:
  /// Precondition: begin <= bytes.size().
  TrackReader(std::span<const std::byte> bytes, std::size_t begin);

  [[nodiscard]] std::size_t position() const { return cursor_.position(); }
  [[nodiscard]] bool at_end() const { return cursor_.at_end(); }
  [[nodiscard]] std::int64_t tick() const { return tick_; }

  /// Reads the time of the next event; then read_message must follow. Precondition: !at_end().
  Result<void> read_delta();
  Result<Message> read_message();

 private:
  [[nodiscard]] tl::unexpected<Error> ends_inside(std::string_view what) const;
  Result<std::uint32_t> variable_length(std::string_view what);
  Result<Message> read_meta();
  Result<Message> read_short(std::size_t at, std::uint8_t status, std::optional<std::uint8_t> data);

  ByteCursor cursor_;
  std::int64_t tick_ = 0;
  std::uint8_t running_status_ = 0;  // 0: none yet
};

/// A file taken apart into its tracks, each at its beginning.
struct SmfFile {
  Division division;
  std::vector<TrackReader> tracks;
  std::vector<std::string> warnings;
};

/// Errors: as read_midi (smf_reader.h). `bytes` must outlive what is returned. [any thread]
Result<SmfFile> parse_smf(std::span<const std::byte> bytes);

/// One event at its time.
struct TimedMessage {
  Message message;
  std::int64_t tick = 0;
  double seconds = 0;  ///< the sum of doubles up to here, as mido has it
  std::size_t at = 0;  ///< the file's byte at which it stands
};

/// Hands out the events of all tracks by tick, then track: the order of a stable sort, without holding all at once.
class MergedTracks {
 public:
  explicit MergedTracks(const SmfFile& file) : division_(file.division), tracks_(file.tracks) {}

  /// Nothing after the last one. Errors, where = "byte N": kCorrupt; kUnsupported beyond kMaxSongSeconds.
  Result<std::optional<TimedMessage>> next();
  /// How long a tick lasts after the event handed out last.
  [[nodiscard]] double seconds_per_tick() const { return division_.seconds_per_tick_at(tempo_); }

 private:
  Result<void> queue(std::size_t track);

  using Next = std::pair<std::int64_t, std::size_t>;  // tick, track
  Division division_;
  std::vector<TrackReader> tracks_;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> next_;
  std::optional<std::size_t> last_;  // the track of the event handed out last; none before the first
  std::uint32_t tempo_ = kDefaultTempo;
  std::int64_t tick_ = 0;
  double seconds_ = 0;
};

}  // namespace midinf
