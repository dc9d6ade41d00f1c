// The merged order of a reader is built first, channels and program changes are decided along it, and only then does
// each event go to its track. Read next: smf_reader.cc, the reader meant here.
#include "midi/note_tracks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "base/general_midi.h"
#include "base/result.h"
#include "midi/smf_writer.h"

namespace midinf {
namespace {

constexpr int kNothing = Channels::kNothing;

enum Meta : std::uint8_t { kText = 0x01, kTrackName = 0x03, kEndOfTrack = 0x2F, kTempo = 0x51 };

void put(std::vector<std::byte>& bytes, int value) {
  bytes.push_back(static_cast<std::byte>(value));
}

struct Event {
  std::int64_t tick;
  int track;
  bool on;
  std::size_t note;

  auto operator<=>(const Event&) const = default;  // the merged order of a reader; at one tick note-offs first
};

// Which track every note's ends stand in.
struct Layout {
  std::vector<std::string> track_names;
  std::vector<Event> events;  // in merged order
  int pitched_instruments = 0;
  int instruments = 0;
};

Layout lay_out(std::span<const PlacedNote> notes, int most_tracks) {
  Layout layout;
  layout.events.reserve(2 * notes.size());
  std::array<int, kInstruments> track_of;
  track_of.fill(kNothing);
  for (std::size_t i = 0; i < notes.size(); ++i) {
    const Note& note = *notes[i].note;
    int& track = track_of[note.instrument];
    if (track == kNothing) {
      ++layout.instruments;
      if (note.instrument != kDrums) ++layout.pitched_instruments;
      if (layout.instruments <= most_tracks)
        layout.track_names.emplace_back(instrument_name(note.instrument));
      else
        layout.track_names.back().append(", ").append(instrument_name(note.instrument));
      track = static_cast<int>(layout.track_names.size()) - 1;
    }
    layout.events.push_back({notes[i].on, track, true, i});
    if (notes[i].off != PlacedNote::kNever) layout.events.push_back({notes[i].off, track, false, i});
  }
  std::ranges::sort(layout.events);
  return layout;
}

std::string describe_sharing(const Layout& layout, const Channels& channels) {
  std::string remark;
  const auto add = [&](std::string part) { remark += (remark.empty() ? "" : "; ") + part; };
  if (layout.pitched_instruments >= kChannels)
    add(fmt::format("{} pitched instruments share the 15 channels of MIDI by program changes",
                    layout.pitched_instruments));
  else if (channels.borrowed() || channels.crowded_notes() != 0)
    add("the new music shares channels with the prompt by program changes");
  if (channels.crowded_notes() != 0)
    add(fmt::format("{} notes begin on a channel where another instrument still sounds", channels.crowded_notes()));
  const int in_last_track = layout.instruments - static_cast<int>(layout.track_names.size()) + 1;
  if (in_last_track > 1)
    add(fmt::format("the last {} share a track, for players that take no more than {}", in_last_track, kMostTracks));
  return remark;
}

// What a channel has before anybody touches it, for what CC 121 (reset all controllers) leaves as it is: banks,
// portamento time, volume, pan, the sound controllers of GM 2, reverb and chorus.
constexpr std::array<std::pair<int, int>, 15> kDefaults{{{0, 0},
                                                         {32, 0},
                                                         {5, 0},
                                                         {7, 100},
                                                         {10, 64},
                                                         {71, 64},
                                                         {72, 64},
                                                         {73, 64},
                                                         {74, 64},
                                                         {75, 64},
                                                         {76, 64},
                                                         {77, 64},
                                                         {78, 64},
                                                         {91, 40},
                                                         {93, 0}}};

void reset_controllers(Track& track, std::int64_t tick, int channel, const std::bitset<129>& touched) {
  constexpr int kDataEntry = 6, kRpnLow = 100, kRpnHigh = 101, kResetAll = 121, kMono = 126, kPoly = 127;
  track.controller(tick, channel, kResetAll, 0);
  for (const auto& [controller, value] : kDefaults)
    if (touched[static_cast<std::size_t>(controller)]) track.controller(tick, channel, controller, value);
  if (touched[kDataEntry] && touched[kRpnLow]) {
    for (const int tuning : {1, 2}) {  // fine, coarse: 64 is none
      track.controller(tick, channel, kRpnHigh, 0);
      track.controller(tick, channel, kRpnLow, tuning);
      track.controller(tick, channel, kDataEntry, 64);
    }
    track.controller(tick, channel, kRpnHigh, 127);
    track.controller(tick, channel, kRpnLow, 127);
  }
  if (touched[kMono]) track.controller(tick, channel, kPoly, 0);
}

}  // namespace

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

void put_header(std::vector<std::byte>& bytes, std::size_t tracks, std::uint16_t division) {
  put_text(bytes, "MThd");
  put_big_endian(bytes, 6, 4);
  put_big_endian(bytes, 1, 2);  // format
  put_big_endian(bytes, static_cast<std::uint32_t>(tracks), 2);
  put_big_endian(bytes, division, 2);
}

void put_track(std::vector<std::byte>& bytes, std::span<const std::byte> events) {
  put_text(bytes, "MTrk");
  put_big_endian(bytes, static_cast<std::uint32_t>(events.size()), 4);
  bytes.insert(bytes.end(), events.begin(), events.end());
}

Track::Track(std::string_view name) {
  meta(0, kTrackName);
  put_variable(bytes_, static_cast<std::uint32_t>(name.size()));
  put_text(bytes_, name);
}

void Track::tempo(std::int64_t tick, std::uint32_t microseconds_per_beat) {
  meta(tick, kTempo);
  put_variable(bytes_, 3);
  put_big_endian(bytes_, microseconds_per_beat, 3);
}

void Track::controller(std::int64_t tick, int channel, int controller, int value) {
  event(tick, {0xB0 | channel, controller, value});
}

void Track::program_change(std::int64_t tick, int channel, int program) {
  event(tick, {0xC0 | channel, program});
}

void Track::note_on(std::int64_t tick, int channel, std::uint8_t pitch, std::uint8_t velocity) {
  event(tick, {0x90 | channel, pitch, velocity});
}

void Track::note_off(std::int64_t tick, int channel, std::uint8_t pitch) {
  constexpr int kRelease = 64;  // the release velocity that MIDI gives to those who do not measure it
  event(tick, {0x80 | channel, pitch, kRelease});
}

std::span<const std::byte> Track::finish() {
  meta(tick_, kEndOfTrack);
  put_variable(bytes_, 0);
  return bytes_;
}

void Track::meta(std::int64_t tick, std::uint8_t type) {
  event(tick, {0xFF, type});
}

void Track::event(std::int64_t tick, std::initializer_list<int> bytes) {
  advance(tick);
  for (const int value : bytes) put(bytes_, value);
}

void Track::advance(std::int64_t tick) {
  std::int64_t delta = tick - tick_;
  tick_ = tick;
  for (; delta > kMaxDelta; delta -= kMaxDelta) {  // three days of silence at 1 ms a tick: an empty text bridges it
    put_variable(bytes_, kMaxDelta);
    put(bytes_, 0xFF);
    put(bytes_, kText);
    put_variable(bytes_, 0);
  }
  put_variable(bytes_, static_cast<std::uint32_t>(delta));
}

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

NoteTracks make_note_tracks(std::span<const PlacedNote> notes, Channels channels, std::span<const PromptEvent> prompt,
                            std::size_t tracks_before) {
  const int room = kMostTracks - static_cast<int>(std::min<std::size_t>(tracks_before, kMostTracks - 1));
  const Layout layout = lay_out(notes, room);
  NoteTracks made{{layout.track_names.begin(), layout.track_names.end()}, {}};

  // A channel's first program change goes to the start of its track, where sequencers look for it. So channels are
  // chosen before anything is written.
  for (const PromptEvent& event : prompt) channels.expect(event.message);
  std::vector<Channels::Place> places;
  places.reserve(layout.events.size());
  auto heard = prompt.begin();
  for (const Event& event : layout.events) {
    for (; heard != prompt.end() && heard->tick <= event.tick; ++heard) channels.hear(heard->message);
    const Note& note = *notes[event.note].note;
    const Channels::Place place =
        event.on ? channels.start(note.instrument, note.pitch) : channels.stop(note.instrument, note.pitch);
    if (place.at_start) made.tracks[event.track].program_change(0, place.channel, place.program);
    places.push_back(place);
  }
  for (std::size_t i = 0; i < layout.events.size(); ++i) {
    const auto& [tick, index, on, note_index] = layout.events[i];
    const Note& note = *notes[note_index].note;
    const Channels::Place& place = places[i];
    Track& track = made.tracks[index];
    if (place.reset) reset_controllers(track, tick, place.channel, channels.touched(place.channel));
    if (place.program != kNothing && !place.at_start) track.program_change(tick, place.channel, place.program);
    if (on)
      track.note_on(tick, place.channel, note.pitch, std::clamp<std::uint8_t>(note.velocity, 1, 127));
    else
      track.note_off(tick, place.channel, note.pitch);
    if (place.restored != kNothing) track.program_change(tick, place.channel, place.restored);
  }
  made.remark = describe_sharing(layout, channels);
  return made;
}

}  // namespace midinf
