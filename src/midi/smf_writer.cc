// The file is laid out so that a reader that merges tracks by tick, then track order, and looks the open note up by
// (current program of the channel, pitch, channel) gets every note back. So the merged order is built first, channels
// and program changes are decided along it, and only then does each event go to its track.
// Read next: smf_reader.cc, the reader meant here.
#include "midi/smf_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

#include "base/general_midi.h"
#include "base/result.h"

namespace midinf {
namespace {

// 1 ms a tick. A step of 10 ms is then a whole number of ticks, so a reader's sum of doubles rounds to the right step
// (it is off by less than 2 ms after ten million notes and eleven days, half a step being 5 ms), and the one tick that
// a note of no length must sound rounds back to no length.
constexpr std::uint32_t kTicksPerBeat = 500;
constexpr std::uint32_t kMicrosecondsPerBeat = 500'000;
constexpr std::int64_t kTicksPerStep = 10;

// FluidSynth (2.3) plays nothing at all of a file with more tracks. One is taken by tempo and title.
constexpr int kMostTracks = 127;
constexpr std::uint32_t kMaxDelta = 0x0FFF'FFFF;  // what four bytes of a variable-length quantity hold
constexpr int kChannels = 16;
constexpr int kDrumChannel = 9;
constexpr int kNothing = -1;

enum Meta : std::uint8_t { kText = 0x01, kTrackName = 0x03, kEndOfTrack = 0x2F, kTempo = 0x51 };

void put(std::vector<std::byte>& bytes, std::uint8_t value) {
  bytes.push_back(static_cast<std::byte>(value));
}

void put_big_endian(std::vector<std::byte>& bytes, std::uint32_t value, int size) {
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) put(bytes, static_cast<std::uint8_t>(value >> shift));
}

void put_variable(std::vector<std::byte>& bytes, std::uint32_t value) {
  for (int shift = 21; shift > 0; shift -= 7)
    if ((value >> shift) != 0) put(bytes, static_cast<std::uint8_t>(0x80 | ((value >> shift) & 0x7F)));
  put(bytes, static_cast<std::uint8_t>(value & 0x7F));
}

void put_text(std::vector<std::byte>& bytes, std::string_view text) {
  for (const char c : text) put(bytes, static_cast<std::uint8_t>(c));
}

// One MTrk chunk as it grows: events come in time order, their delta times are worked out here.
class Track {
 public:
  explicit Track(std::string_view name) {
    meta(0, kTrackName);
    put_variable(bytes_, static_cast<std::uint32_t>(name.size()));
    put_text(bytes_, name);
  }

  void tempo(std::uint32_t microseconds_per_beat) {
    meta(0, kTempo);
    put_variable(bytes_, 3);
    put_big_endian(bytes_, microseconds_per_beat, 3);
  }
  // A program change at the start of the track. Only before the first event of any other kind.
  void first_program(int channel, int program) { program_change(0, channel, program); }
  void program_change(std::int64_t tick, int channel, int program) {
    advance(tick);
    put(bytes_, static_cast<std::uint8_t>(0xC0 | channel));
    put(bytes_, static_cast<std::uint8_t>(program));
  }
  void note_on(std::int64_t tick, int channel, std::uint8_t pitch, std::uint8_t velocity) {
    advance(tick);
    put(bytes_, static_cast<std::uint8_t>(0x90 | channel));
    put(bytes_, pitch);
    put(bytes_, velocity);
  }
  void note_off(std::int64_t tick, int channel, std::uint8_t pitch) {
    advance(tick);
    put(bytes_, static_cast<std::uint8_t>(0x80 | channel));
    put(bytes_, pitch);
    put(bytes_, 64);  // the release velocity that MIDI gives to those who do not measure it
  }

  void finish_into(std::vector<std::byte>& file) {
    meta(tick_, kEndOfTrack);
    put_variable(bytes_, 0);
    put_text(file, "MTrk");
    put_big_endian(file, static_cast<std::uint32_t>(bytes_.size()), 4);
    file.insert(file.end(), bytes_.begin(), bytes_.end());
  }

 private:
  void meta(std::int64_t tick, Meta type) {
    advance(tick);
    put(bytes_, 0xFF);
    put(bytes_, type);
  }

  void advance(std::int64_t tick) {
    std::int64_t delta = tick - tick_;
    tick_ = tick;
    for (; delta > kMaxDelta; delta -= kMaxDelta) {  // three days of silence: an empty text bridges it
      put_variable(bytes_, kMaxDelta);
      put(bytes_, 0xFF);
      put(bytes_, kText);
      put_variable(bytes_, 0);
    }
    put_variable(bytes_, static_cast<std::uint32_t>(delta));
  }

  std::vector<std::byte> bytes_;
  std::int64_t tick_ = 0;
};

// Which channel each instrument plays on, and what program stands there. Calls come in merged order.
//
// An instrument keeps its channel while it sounds, so its notes of one key always close oldest first; when silent it
// may lose the channel to another. Program changes are asked for wherever the merged order needs one, whatever the
// choice of channels was: the choice decides only how well it sounds, never what is read back.
class Channels {
 public:
  struct Place {
    int channel;
    int program = kNothing;       // the program change that must stand before the event, if any
    bool channel_is_new = false;  // no event stood on the channel before: the change may move to the track's start
  };

  Place start(int instrument, std::uint8_t pitch) {
    Player& player = players_[instrument];
    if (player.open == 0 && (player.channel == kNothing || channels_[player.channel].owner != instrument)) {
      player.channel = instrument == kDrums ? kDrumChannel : choose(pitch);
      channels_[player.channel].owner = instrument;
    }
    Channel& channel = channels_[player.channel];
    if (channel.open != player.open) ++crowded_notes_;
    ++player.open;
    ++channel.open;
    ++channel.open_pitches[pitch];
    return place(player.channel, instrument);
  }

  Place stop(int instrument, std::uint8_t pitch) {
    Player& player = players_[instrument];
    Channel& channel = channels_[player.channel];
    --player.open;
    --channel.open;
    --channel.open_pitches[pitch];
    return place(player.channel, instrument);
  }

  // Notes that began while another instrument sounded on their channel.
  [[nodiscard]] std::int64_t crowded_notes() const { return crowded_notes_; }

 private:
  struct Channel {
    int program = kNothing;
    int owner = kNothing;
    std::int64_t open = 0;
    std::array<std::int64_t, 128> open_pitches{};
    std::int64_t last_event = kNothing;
  };
  struct Player {
    int channel = kNothing;
    std::int64_t open = 0;
  };

  // A silent channel, the longest silent first so that its releases have died away; if none is silent, one where the
  // same key does not sound (a note-off would end both), then the least busy.
  [[nodiscard]] int choose(std::uint8_t pitch) const {
    const auto cost = [&](int c) {
      const Channel& channel = channels_[c];
      return std::tuple(channel.open_pitches[pitch] != 0, channel.open, channel.last_event);
    };
    int best = 0;
    for (int c = 1; c < kChannels; ++c)
      if (c != kDrumChannel && cost(c) < cost(best)) best = c;
    return best;
  }

  Place place(int index, int instrument) {
    Channel& channel = channels_[index];
    Place result{index};
    const int program = instrument == kDrums ? 0 : instrument;
    if (channel.program != program) {
      result.program = program;
      result.channel_is_new = channel.last_event == kNothing;
      channel.program = program;
    }
    channel.last_event = events_++;
    return result;
  }

  std::array<Channel, kChannels> channels_;
  std::array<Player, kInstruments> players_;
  std::int64_t events_ = 0;
  std::int64_t crowded_notes_ = 0;
};

struct Event {
  std::int64_t tick;
  int track;
  bool on;
  std::size_t note;  // index by onset

  auto operator<=>(const Event&) const = default;  // the merged order of a reader; at one tick note-offs first
};

std::vector<const Note*> by_onset(std::span<const Note> notes) {
  constexpr std::int64_t kMostSteps = kMaxSongSeconds * kTicksPerSecond;
  std::vector<const Note*> ordered;
  ordered.reserve(notes.size());
  for (const Note& note : notes) {
    MIDINF_ASSERT(note.instrument < kInstruments && note.pitch < 128);
    MIDINF_ASSERT(note.onset.count() >= 0 && note.onset.count() <= kMostSteps);
    MIDINF_ASSERT(note.duration.count() >= 0 && note.duration.count() <= kMostSteps - note.onset.count());
    ordered.push_back(&note);
  }
  // Ties in the order given. (std::stable_sort would say so in a word, but clang warns about libstdc++ 12's.)
  std::ranges::sort(ordered, {}, [](const Note* note) { return std::tuple(note->onset, note); });
  return ordered;
}

// Which track every note's ends stand in, and when.
struct Layout {
  std::vector<std::string> track_names;
  std::vector<Event> events;  // in merged order
  int pitched_instruments = 0;
  int instruments = 0;
};

Layout lay_out(std::span<const Note* const> notes) {
  Layout layout;
  layout.events.reserve(2 * notes.size());
  std::array<int, kInstruments> track_of;
  track_of.fill(kNothing);
  for (std::size_t i = 0; i < notes.size(); ++i) {
    const Note& note = *notes[i];
    int& track = track_of[note.instrument];
    if (track == kNothing) {
      ++layout.instruments;
      if (note.instrument != kDrums) ++layout.pitched_instruments;
      if (layout.instruments < kMostTracks)
        layout.track_names.emplace_back(instrument_name(note.instrument));
      else
        layout.track_names.back().append(", ").append(instrument_name(note.instrument));
      track = static_cast<int>(layout.track_names.size()) - 1;
    }
    const std::int64_t begin = note.onset.count() * kTicksPerStep;
    const std::int64_t length = std::max<std::int64_t>(note.duration.count() * kTicksPerStep, 1);
    layout.events.push_back({begin, track, true, i});
    layout.events.push_back({begin + length, track, false, i});
  }
  std::ranges::sort(layout.events);
  return layout;
}

std::string describe_sharing(const Layout& layout, std::int64_t crowded_notes) {
  if (layout.pitched_instruments < kChannels) return {};
  std::string remark = fmt::format("{} pitched instruments share the 15 channels of MIDI by program changes",
                                   layout.pitched_instruments);
  if (crowded_notes != 0)
    remark += fmt::format("; {} notes begin on a channel where another instrument still sounds", crowded_notes);
  const int in_last_track = layout.instruments - static_cast<int>(layout.track_names.size()) + 1;
  if (in_last_track > 1)
    remark +=
        fmt::format("; the last {} share a track, for players that take no more than {}", in_last_track, kMostTracks);
  return remark;
}

}  // namespace

WrittenMidi write_midi(std::span<const Note> notes) {
  const std::vector<const Note*> ordered = by_onset(notes);
  const Layout layout = lay_out(ordered);
  std::vector<Track> tracks(layout.track_names.begin(), layout.track_names.end());

  // A channel's first program change goes to the start of its track, where sequencers look for it. So channels are
  // chosen before anything is written.
  Channels channels;
  std::vector<Channels::Place> places;
  places.reserve(layout.events.size());
  for (const Event& event : layout.events) {
    const Note& note = *ordered[event.note];
    const Channels::Place place =
        event.on ? channels.start(note.instrument, note.pitch) : channels.stop(note.instrument, note.pitch);
    if (place.channel_is_new) tracks[event.track].first_program(place.channel, place.program);
    places.push_back(place);
  }
  for (std::size_t i = 0; i < layout.events.size(); ++i) {
    const auto& [tick, track, on, index] = layout.events[i];
    const Note& note = *ordered[index];
    const Channels::Place& place = places[i];
    if (place.program != kNothing && !place.channel_is_new)
      tracks[track].program_change(tick, place.channel, place.program);
    if (on)
      tracks[track].note_on(tick, place.channel, note.pitch, std::clamp<std::uint8_t>(note.velocity, 1, 127));
    else
      tracks[track].note_off(tick, place.channel, note.pitch);
  }

  WrittenMidi written;
  written.remark = describe_sharing(layout, channels.crowded_notes());
  std::vector<std::byte>& file = written.bytes;
  put_text(file, "MThd");
  put_big_endian(file, 6, 4);
  put_big_endian(file, 1, 2);  // format
  put_big_endian(file, static_cast<std::uint32_t>(tracks.size() + 1), 2);
  put_big_endian(file, kTicksPerBeat, 2);
  Track conductor("midinfinite");
  conductor.tempo(kMicrosecondsPerBeat);
  conductor.finish_into(file);
  for (Track& track : tracks) track.finish_into(file);
  return written;
}

}  // namespace midinf
