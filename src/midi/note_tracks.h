// Notes at ticks -> the tracks of a file, one an instrument. What write_midi and continue_midi have in common.
// Must not know: model ids, how ticks came about. Read next: channels.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/note.h"
#include "midi/channels.h"

namespace midinf {

/// Bytes of a file as they are put together. [any thread]
void put_big_endian(std::vector<std::byte>& bytes, std::uint32_t value, int size);
/// Precondition: value <= kMaxDelta.
void put_variable(std::vector<std::byte>& bytes, std::uint32_t value);
void put_text(std::vector<std::byte>& bytes, std::string_view text);
/// The header of a format 1 file.
void put_header(std::vector<std::byte>& bytes, std::size_t tracks, std::uint16_t division);
/// A track around its events.
void put_track(std::vector<std::byte>& bytes, std::span<const std::byte> events);

/// The events of one track as they grow: they come in the order of time, their delta times are worked out here.
class Track {
 public:
  explicit Track(std::string_view name);
  void tempo(std::int64_t tick, std::uint32_t microseconds_per_beat);
  void controller(std::int64_t tick, int channel, int controller, int value);
  void program_change(std::int64_t tick, int channel, int program);
  void note_on(std::int64_t tick, int channel, std::uint8_t pitch, std::uint8_t velocity);
  void note_off(std::int64_t tick, int channel, std::uint8_t pitch);
  /// All of it, with the end of track. Nothing may follow.
  std::span<const std::byte> finish();

 private:
  void meta(std::int64_t tick, std::uint8_t type);
  void event(std::int64_t tick, std::initializer_list<int> bytes);
  void advance(std::int64_t tick);

  std::vector<std::byte> bytes_;
  std::int64_t tick_ = 0;
};

/// FluidSynth (2.3) plays nothing at all of a file with more tracks.
inline constexpr int kMostTracks = 127;

/// The notes in the order of their onsets, ties in the order given. Precondition of every note: onset >= 0,
/// duration >= 0, end <= kMaxSongSeconds, instrument <= 128, pitch <= 127.
std::vector<const Note*> by_onset(std::span<const Note> notes);

/// A note whose ends have found their ticks.
struct PlacedNote {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  const Note* note = nullptr;
  std::int64_t on = 0;
  std::int64_t off = 0;  ///< after `on`; kNever: it gets no note-off
};

/// An event of the song that plays already.
struct PromptEvent {
  std::int64_t tick = 0;
  Message message;
};

struct NoteTracks {
  std::vector<Track> tracks;  ///< by instrument, in order of first appearance
  std::string remark;         ///< as WrittenMidi::remark
};

/// The tracks that play `notes` (by onset) in a file where they stand behind the tracks of the prompt, which has events
/// `prompt` still to come and has told `channels` the others. A reader that merges tracks by tick, then track order,
/// and looks an open note up by (current program of the channel, pitch, channel) gets every note back. With the
/// `tracks_before` they are at most kMostTracks if possible: the last instruments share one.
NoteTracks make_note_tracks(std::span<const PlacedNote> notes, Channels channels, std::span<const PromptEvent> prompt,
                            std::size_t tracks_before);

}  // namespace midinf
