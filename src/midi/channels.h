// Which of MIDI's 16 channels each instrument plays on, beside a song that plays already or alone.
// Must not know: bytes, tracks. Read next: note_tracks.cc, which asks for every event in the order of time.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <unordered_map>

#include "base/note.h"
#include "midi/smf_tracks.h"

namespace midinf {

/// Hands channels to instruments. Calls come in the order in which a reader merges events.
///
/// An instrument keeps its channel while it sounds, so its notes of one key always close oldest first; when silent it
/// may lose the channel to another. Program changes are asked for wherever the merged order needs one, whatever the
/// choice of channels was: the choice decides only how well it sounds, never what is read back.
///
/// Of a song that plays already (the prompt) it is told every event, with `expect` for those that are still to come.
/// Its channels are the last choice as long as it still uses them: then every event of ours there is put between a
/// program change and the change back. What it left behind on a channel that it no longer uses (volume, bank, pedals,
/// …) is reset before others play there. Drums are the exception, they have one channel: they play on the prompt's kit.
/// [any thread]
class Channels {
 public:
  static constexpr int kNothing = -1;

  struct Place {
    int channel = 0;
    int program = kNothing;   ///< the program change that must stand before the event, if any
    int restored = kNothing;  ///< the program change that must stand after it, if any
    bool at_start = false;    ///< no event stood on the channel before: `program` may move to the track's start
    bool reset = false;       ///< what was touched() on the channel must be reset first
  };

  /// The prompt's next event, and one that it will have. Other than channel messages they are ignored. Returns the
  /// instrument whose open note it ends, or kNothing.
  int hear(const Message& message);
  void expect(const Message& message);

  Place start(int instrument, std::uint8_t pitch);
  /// Precondition: the instrument has a note of that pitch open.
  Place stop(int instrument, std::uint8_t pitch);

  /// How many notes of the prompt are open on a channel, for an instrument and a pitch, as a reader counts them.
  [[nodiscard]] int open_notes(int channel, int instrument, int pitch) const;
  /// How many of any pitch.
  [[nodiscard]] int open_notes(int channel, int instrument) const { return channels_[channel].prompt_open[instrument]; }
  /// The controllers that the prompt set, and at kExpression whether it bent or pressed.
  [[nodiscard]] const std::bitset<129>& touched(int channel) const { return channels_[channel].touched; }
  static constexpr int kExpression = 128;

  /// Notes that began while another instrument sounded on their channel.
  [[nodiscard]] std::int64_t crowded_notes() const { return crowded_notes_; }
  /// Whether any began on a channel that the prompt still used. (Not drums.)
  [[nodiscard]] bool borrowed() const { return borrowed_; }

 private:
  struct Channel {
    int program = kNothing;
    int owner = kNothing;
    std::int64_t open = 0;
    std::array<std::int64_t, 128> open_pitches{};
    std::int64_t last_event = kNothing;
    // The prompt's.
    bool heard = false;  // or expected
    bool reset = false;
    std::int64_t expected = 0;  // its events to come
    std::array<int, kInstruments> prompt_open{};
    std::bitset<129> touched;
  };
  struct Player {
    int channel = kNothing;
    std::int64_t open = 0;
  };

  [[nodiscard]] int choose(int instrument, std::uint8_t pitch) const;
  Place place(int index, int instrument);
  Channel& of_prompt(const Message& message);

  std::array<Channel, kChannels> channels_;
  std::array<Player, kInstruments> players_;
  std::unordered_map<int, int> prompt_open_;  // notes by key_of
  std::int64_t events_ = 0;
  std::int64_t crowded_notes_ = 0;
  bool borrowed_ = false;
};

}  // namespace midinf
