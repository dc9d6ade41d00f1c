// What the writer promises: bytes, layout, and that the reader gets every note back.
#include "midi/smf_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string_view>
#include <tuple>

#include "base/general_midi.h"
#include "midi/smf_reader.h"
#include "midi/smf_test_bytes.h"

namespace midinf {
namespace {

using testing::append;
using testing::hex;

Note note(std::int64_t onset, std::int64_t duration, int instrument = 0, int pitch = 60, int velocity = 80) {
  return {Ticks10ms(onset), Ticks10ms(duration), static_cast<std::uint8_t>(instrument),
          static_cast<std::uint8_t>(pitch), static_cast<std::uint8_t>(velocity)};
}

std::vector<Note> sorted(std::vector<Note> notes) {
  std::ranges::sort(notes, {},
                    [](const Note& n) { return std::tuple(n.onset, n.instrument, n.pitch, n.duration, n.velocity); });
  return notes;
}

std::vector<Note> read_back(const std::vector<Note>& notes) {
  auto song = read_midi(write_midi(notes).bytes);
  EXPECT_TRUE(song) << song.error().to_string();
  if (!song) return {};
  EXPECT_TRUE(song->warnings.empty()) << song->warnings.front();
  return std::move(song->notes);
}

// What a reader must find, worked out without the writer: of each key, the first note-off closes the first note-on. A
// note-off always finds its own note-on or an older one open, so the k-th ends the k-th.
std::vector<Note> first_in_first_out(std::vector<Note> notes) {
  std::map<std::pair<int, int>, std::vector<Note>> keys;
  for (const Note& n : notes) keys[{n.instrument, n.pitch}].push_back(n);
  std::vector<Note> expected;
  for (auto& [key, ons] : keys) {
    for (std::size_t i = 1; i < ons.size(); ++i)  // by insertion: stable
      for (std::size_t k = i; k > 0 && ons[k].onset < ons[k - 1].onset; --k) std::swap(ons[k], ons[k - 1]);
    std::vector<std::int64_t> offs;  // in milliseconds
    for (const Note& n : ons) offs.push_back(10 * (n.onset + n.duration).count() + (n.duration.count() == 0 ? 1 : 0));
    std::sort(offs.begin(), offs.end());
    for (std::size_t k = 0; k < ons.size(); ++k) {
      expected.push_back(ons[k]);
      expected.back().duration =
          Ticks10ms((offs[k] - 10 * ons[k].onset.count()) / 10);  // at most 1 ms over: rounds down
    }
  }
  return expected;
}

struct ChannelEvent {
  std::int64_t tick;
  int status;  // without the channel
  int channel;
  int first;
};

// A reader of the writer's own dialect only, for looking at the layout: no running status, no system messages.
std::vector<std::vector<ChannelEvent>> tracks_of(const std::vector<std::byte>& file) {
  std::vector<std::vector<ChannelEvent>> tracks;
  const auto byte = [&](std::size_t at) { return std::to_integer<int>(file.at(at)); };
  for (std::size_t at = 14; at < file.size();) {
    const std::size_t size =
        static_cast<std::size_t>(byte(at + 4) << 24 | byte(at + 5) << 16 | byte(at + 6) << 8 | byte(at + 7));
    const std::size_t end = at + 8 + size;
    at += 8;
    auto& track = tracks.emplace_back();
    std::int64_t tick = 0;
    while (at < end) {
      std::int64_t delta = 0;
      while (byte(at) >= 0x80) delta = delta << 7 | (byte(at++) & 0x7F);
      tick += delta << 7 | byte(at++);
      const int status = byte(at++);
      if (status == 0xFF) {
        at += 2 + static_cast<std::size_t>(byte(at + 1));
        continue;
      }
      track.push_back({tick, status & 0xF0, status & 0x0F, byte(at)});
      at += (status & 0xE0) == 0xC0 ? 1 : 2;
    }
  }
  return tracks;
}

TEST(SmfWriter, OneNoteIsTheseBytes) {
  const std::vector<Note> notes{note(100, 50, 40, 69, 100)};
  auto expected = hex("4d546864 00000006 0001 0002 01f4");      // format 1, 2 tracks, 500 ticks a beat
  append(expected, hex("4d54726b 0000001a"));                   //
  append(expected, hex("00 ff 03 0b 6d6964696e66696e697465"));  // name: midinfinite
  append(expected, hex("00 ff 51 03 07a120 00 ff 2f 00"));      // tempo: 500,000 us a beat
  append(expected, hex("4d54726b 0000001b"));                   //
  append(expected, hex("00 ff 03 06 56696f6c696e 00 c0 28"));   // name: Violin; program 40 on channel 1
  append(expected, hex("87 68 90 45 64 83 74 80 45 40"));       // 1,000 ms later on, 500 ms later off
  append(expected, hex("00 ff 2f 00"));
  EXPECT_EQ(write_midi(notes).bytes, expected);
  EXPECT_EQ(write_midi(notes).remark, "");
}

TEST(SmfWriter, NoNotesIsAFileWithoutNotes) {
  EXPECT_TRUE(read_back({}).empty());
  EXPECT_EQ(tracks_of(write_midi({}).bytes).size(), 1u);
}

TEST(SmfWriter, TracksStandInOrderOfFirstAppearanceUnderTheirNames) {
  const std::vector<Note> notes{note(300, 10, 73), note(200, 10, kDrums, 36), note(100, 10, 33), note(400, 10, 33)};
  const WrittenMidi written = write_midi(notes);
  const std::string_view text(reinterpret_cast<const char*>(written.bytes.data()), written.bytes.size());
  std::size_t at = 0;
  for (const int instrument : {33, kDrums, 73}) {
    at = text.find(instrument_name(instrument), at);
    ASSERT_NE(at, std::string_view::npos) << instrument_name(instrument);
  }
  const auto tracks = tracks_of(written.bytes);
  ASSERT_EQ(tracks.size(), 4u);
  EXPECT_EQ(tracks[1].size(), 5u);
  for (const ChannelEvent& event : tracks[2]) EXPECT_EQ(event.channel, 9);  // MIDI's channel 10
}

TEST(SmfWriter, UpToFifteenPitchedInstrumentsKeepAChannelAndOneProgram) {
  std::vector<Note> notes{note(0, 10, kDrums, 36)};
  for (int i = 0; i < 15; ++i)
    for (int k = 0; k < 3; ++k) notes.push_back(note(10 * k, 30, 8 * i + 3));
  const WrittenMidi written = write_midi(notes);
  EXPECT_EQ(written.remark, "");
  const auto tracks = tracks_of(written.bytes);
  ASSERT_EQ(tracks.size(), 17u);
  std::map<int, int> users;
  for (std::size_t t = 1; t < tracks.size(); ++t) {
    EXPECT_EQ(tracks[t][0].status, 0xC0);
    EXPECT_EQ(tracks[t][0].tick, 0);
    for (const ChannelEvent& event : tracks[t]) EXPECT_EQ(event.channel, tracks[t][0].channel);
    EXPECT_EQ(std::ranges::count(tracks[t], 0xC0, &ChannelEvent::status), 1);
    ++users[tracks[t][0].channel];
  }
  EXPECT_EQ(users.size(), 16u);
  EXPECT_EQ(sorted(read_back(notes)), sorted(first_in_first_out(notes)));
}

TEST(SmfWriter, NoteOffsPrecedeNoteOnsAtOneTick) {
  const std::vector<Note> notes{note(0, 50), note(50, 50), note(50, 20, 0, 64)};
  const auto tracks = tracks_of(write_midi(notes).bytes);
  ASSERT_EQ(tracks.size(), 2u);
  std::vector<int> at_500_ms;
  for (const ChannelEvent& event : tracks[1])
    if (event.tick == 500) at_500_ms.push_back(event.status);
  EXPECT_EQ(at_500_ms, (std::vector<int>{0x80, 0x90, 0x90}));
}

TEST(SmfWriter, ANoteOfNoLengthSoundsOneTickAndReadsBackWithoutLength) {
  const std::vector<Note> notes{note(7, 0), note(7, 0, kDrums, 42), note(8, 5)};
  const auto tracks = tracks_of(write_midi(notes).bytes);
  EXPECT_EQ(tracks[1][1].status, 0x90);
  EXPECT_EQ(tracks[1][2].status, 0x80);
  EXPECT_EQ(tracks[1][2].tick - tracks[1][1].tick, 1);
  EXPECT_EQ(sorted(read_back(notes)), sorted(notes));
}

TEST(SmfWriter, VelocityIsKeptWithinItsRange) {
  const std::vector<Note> notes{note(0, 10, 0, 60, 1), note(10, 10, 0, 60, 127)};
  EXPECT_EQ(read_back(notes), notes);
  const std::vector<Note> wrong{note(0, 10, 0, 60, 0), note(10, 10, 0, 60, 200)};
  EXPECT_EQ(read_back(wrong), notes);
}

TEST(SmfWriter, NestedNotesOfOneKeyCloseOldestFirst) {
  EXPECT_EQ(read_back({note(0, 100), note(10, 20)}), (std::vector<Note>{note(0, 30), note(10, 90)}));
}

TEST(SmfWriter, MoreInstrumentsThanChannelsUseSilentOnesAndSaySo) {
  std::vector<Note> notes;  // 40 instruments, at most 5 at once
  for (int i = 0; i < 400; ++i) notes.push_back(note(10 * i, 50, i % 40, 60));
  const WrittenMidi written = write_midi(notes);
  EXPECT_EQ(written.remark, "40 pitched instruments share the 15 channels of MIDI by program changes");
  EXPECT_EQ(sorted(read_back(notes)), sorted(notes));

  // No note may begin while another instrument sounds on its channel.
  std::map<std::tuple<std::int64_t, std::size_t, std::size_t>, ChannelEvent> merged;  // by tick, track, place in it
  const auto tracks = tracks_of(written.bytes);
  for (std::size_t t = 0; t < tracks.size(); ++t)
    for (std::size_t i = 0; i < tracks[t].size(); ++i) merged[{tracks[t][i].tick, t, i}] = tracks[t][i];
  std::array<std::map<std::size_t, int>, 16> open;
  for (const auto& [place, event] : merged) {
    const std::size_t track = std::get<1>(place);
    auto& here = open[event.channel];
    if (event.status == 0x80 && --here[track] == 0) here.erase(track);
    if (event.status == 0x90) {
      ++here[track];
      EXPECT_EQ(here.size(), 1u) << "at " << event.tick;
    }
  }
}

TEST(SmfWriter, AllInstrumentsAtOnceStillReadBack) {
  std::vector<Note> notes;  // the same key, so that program changes alone tell the notes of a channel apart
  for (int i = 0; i < kInstruments; ++i) notes.push_back(note(10, 20 + i % 7, i, 60));
  for (int i = 0; i < kInstruments; ++i) notes.push_back(note(30, 5, kInstruments - 1 - i, 60));
  EXPECT_EQ(
      write_midi(notes).remark,
      "128 pitched instruments share the 15 channels of MIDI by program changes; 241 notes begin on a channel where "
      "another instrument still sounds; the last 4 share a track, for players that take no more than 127");
  EXPECT_EQ(tracks_of(write_midi(notes).bytes).size(), 127u);
  EXPECT_EQ(sorted(read_back(notes)), sorted(first_in_first_out(notes)));
}

TEST(SmfWriter, RandomSongsReadBack) {
  std::mt19937_64 random(1);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<std::uint64_t>(n)); };
  for (int round = 0; round < 1'500; ++round) {
    const int instruments = std::array{1, 2, 5, 15, 16, 17, 24, 60, 129}[round % 9];
    const int pitches = std::array{1, 3, 128}[below(3)];  // few keys: many nested notes
    const int span = std::array{1, 20, 300, 20'000}[below(4)];
    const int longest = std::array{1, 30, 3'000}[below(3)];
    std::vector<int> players(kInstruments);
    for (int i = 0; i < kInstruments; ++i) players[i] = i;
    std::ranges::shuffle(players, random);
    std::vector<Note> notes(static_cast<std::size_t>(below(250)));
    for (Note& n : notes)
      n = note(below(span), below(longest + 1), players[below(instruments)], below(pitches), 1 + below(127));
    ASSERT_EQ(sorted(read_back(notes)), sorted(first_in_first_out(notes))) << "round " << round;
  }
}

TEST(SmfWriter, AMillionStepsAreReadBackExactly) {
  std::mt19937_64 random(2);
  std::vector<Note> notes;
  std::int64_t onset = 0;
  while (onset < 1'200'000) {  // 3 h 20 min in which the reader adds up some 400,000 doubles
    notes.push_back(note(onset, static_cast<std::int64_t>(random() % 400), static_cast<int>(random() % 8),
                         static_cast<int>(random() % 128)));
    onset += static_cast<std::int64_t>(random() % 12);
  }
  EXPECT_EQ(sorted(read_back(notes)), sorted(first_in_first_out(notes)));
}

TEST(SmfWriter, LongSilencesAndTheLatestNoteAreReadBack) {
  constexpr std::int64_t kLatest = kMaxSongSeconds * kTicksPerSecond;
  const std::vector<Note> notes{note(3, 10), note(26'843'545, 999), note(26'843'546 + 26'843'545, 0),
                                note(kLatest / 2, 7), note(kLatest - 10, 10)};
  EXPECT_EQ(read_back(notes), notes);
}

TEST(SmfWriterDeathTest, RefusesWhatIsNoNote) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::vector<Note> no_instrument{note(0, 10, 129)};
  EXPECT_DEATH(write_midi(no_instrument), "internal error");
  const std::vector<Note> early{note(-1, 10)};
  EXPECT_DEATH(write_midi(early), "internal error");
}

}  // namespace
}  // namespace midinf
