// What a continued file promises: the prompt's events as they were, its notes as they were read, the new ones exact.
#include "midi/smf_continuation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <tuple>

#include "base/file.h"
#include "midi/smf_reader.h"
#include "midi/smf_test_bytes.h"
#include "midi/smf_tracks.h"

namespace midinf {
namespace {

using testing::append;
using testing::Bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::hex;
using testing::smf;

Note note(std::int64_t onset, std::int64_t duration, int instrument = 0, int pitch = 60, int velocity = 64) {
  return {Ticks10ms(onset), Ticks10ms(duration), static_cast<std::uint8_t>(instrument),
          static_cast<std::uint8_t>(pitch), static_cast<std::uint8_t>(velocity)};
}

std::string spelt(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text += fmt::format("{:02x} ", byte);
  return text;
}

std::vector<Note> sorted(std::vector<Note> notes) {
  std::ranges::sort(notes, {},
                    [](const Note& n) { return std::tuple(n.onset, n.instrument, n.pitch, n.duration, n.velocity); });
  return notes;
}

WrittenMidi continued(const Bytes& prompt, const std::vector<Note>& notes) {
  auto written = continue_midi(prompt, notes);
  EXPECT_TRUE(written) << written.error().to_string();
  return written ? *std::move(written) : WrittenMidi{};
}

std::vector<Note> notes_of(std::span<const std::byte> file) {
  auto song = read_midi(file);
  EXPECT_TRUE(song) << song.error().to_string();
  return song ? std::move(song->notes) : std::vector<Note>{};
}

// Every event with its tick in the prompt's ticks, its bytes as they stand.
using RawEvent = std::pair<std::int64_t, Bytes>;
std::vector<std::vector<RawEvent>> events_of(std::span<const std::byte> file, std::int64_t scale = 1) {
  std::vector<std::vector<RawEvent>> tracks;
  const auto parsed = parse_smf(file);
  for (TrackReader track : parsed->tracks) {
    auto& events = tracks.emplace_back();
    while (!track.at_end()) {
      EXPECT_TRUE(track.read_delta());
      const auto begin = track.position();
      EXPECT_TRUE(track.read_message());
      EXPECT_EQ(track.tick() % scale, 0);
      const auto event = file.subspan(begin, track.position() - begin);
      events.push_back({track.tick() / scale, Bytes(event.begin(), event.end())});
    }
  }
  return tracks;
}

std::int64_t scale_of(std::span<const std::byte> prompt, std::span<const std::byte> file) {
  const auto ticks = [](std::uint16_t word) { return word < 0x8000 ? word : word & 0xFF; };
  return ticks(parse_smf(file)->division.word) / ticks(parse_smf(prompt)->division.word);
}

// All that is promised of every prompt, for new notes of which none is nested in another or a drum held by the prompt.
void expect_promises(const Bytes& prompt, const std::vector<Note>& added, const std::string& what = {}) {
  SCOPED_TRACE(what);
  const std::vector<Note> old = notes_of(prompt);
  const WrittenMidi written = continued(prompt, added);
  const std::vector<Note> all = notes_of(written.bytes);
  ASSERT_EQ(all.size(), old.size() + added.size());
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(old.size());
  EXPECT_EQ(std::vector(all.begin(), middle), old);
  EXPECT_EQ(sorted({middle, all.end()}), sorted(added));

  auto before = events_of(prompt);
  auto after = events_of(written.bytes, 1);
  const std::int64_t scale = scale_of(prompt, written.bytes);
  for (std::size_t t = 0; t < before.size(); ++t) {
    for (RawEvent& event : before[t]) event.first *= scale;
    if (before[t].empty() || before[t].back().second != hex("ff2f00")) after[t].pop_back();
    EXPECT_EQ(before[t], after[t]) << "track " << t;
  }
}

// Random notes behind a song, none nested in another of its key; drums only once the song is silent.
std::vector<Note> notes_after(const std::vector<Note>& song, int instruments, int count, std::mt19937_64& random) {
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  const std::int64_t start = song.empty() ? 0 : song.back().onset.count();
  std::int64_t silent = start;
  for (const Note& n : song) silent = std::max(silent, (n.onset + n.duration).count() + 1);
  std::vector<Note> notes;
  std::map<std::pair<int, int>, std::int64_t> free;
  std::int64_t onset = start;
  for (int i = 0; i < count; ++i, onset += below(12)) {
    const int instrument = below(8) == 0 ? kDrums : static_cast<int>(below(instruments) * 5 % 128);
    const int pitch = 30 + static_cast<int>(below(50));
    if (onset < free[{instrument, pitch}] || (instrument == kDrums && onset < silent)) continue;
    notes.push_back(note(onset, below(60), instrument, pitch, 1 + static_cast<int>(below(127))));
    free[{instrument, pitch}] = onset + std::max<std::int64_t>(notes.back().duration.count(), 1);
  }
  return notes;
}

// In smf(), one tick is 10 ms unless a tempo or another division says otherwise.

TEST(SmfContinuation, APromptsBytesStandAndTheNewTrackFollows) {
  const WrittenMidi written = continued(smf({"0a 90 3c 40 0a 3c 00"}), {note(30, 5, 40, 69, 100)});
  auto expected = hex("4d546864 00000006 0001 0002 0032");
  append(expected, hex("4d54726b 0000000b 0a 90 3c 40 0a 3c 00 00 ff 2f 00"));
  append(expected, hex("4d54726b 00000019 00 ff 03 06 56696f6c696e 00 c1 28 1e 91 45 64 05 81 45 40 00 ff 2f 00"));
  EXPECT_EQ(written.bytes, expected);
  EXPECT_EQ(written.remark, "");
}

TEST(SmfContinuation, WithoutNewNotesThePromptStands) {
  const Bytes prompt = smf({"0a 90 3c 40 0a 3c 00", "00 ff 51 03 0f4240"}, 480);
  EXPECT_EQ(continued(prompt, {}).bytes, prompt);
}

TEST(SmfContinuation, TheTempoMapPlacesTheNewNotesAndItsLastTempoHolds) {
  // 10 ms a tick until tick 20, then 20 ms, then, from tick 40 (0.6 s) on, 5 ms.
  const Bytes prompt = smf({"14 ff 51 03 0f4240 14 ff 51 03 03d090", "00 90 3c 40 05 80 3c 00"});
  expect_promises(prompt, {note(10, 10), note(20, 30, 1), note(52, 8, 1), note(60, 1, 2), note(1'000, 77, 3)});
}

TEST(SmfContinuation, OneMoreTrackMakesFormat0Format1) {
  const WrittenMidi written = continued(smf({"00 90 3c 40 05 80 3c 00"}, 50, 0), {note(0, 10, 1)});
  EXPECT_EQ(std::to_integer<int>(written.bytes[9]), 1);
  EXPECT_THAT(notes_of(written.bytes), ElementsAre(note(0, 5), note(0, 10, 1)));
}

TEST(SmfContinuation, TicksTooCoarseAreDividedByAPowerOfTwo) {
  const Bytes prompt = smf({"01 90 3c 40 03 80 3c 00"}, 4);  // 125 ms a tick
  const std::vector<Note> added{note(13, 7, 1), note(20, 0, 1), note(21, 1, 2), note(22, 999, 3)};
  expect_promises(prompt, added);
  const std::int64_t scale = scale_of(prompt, continued(prompt, added).bytes);
  EXPECT_GT(scale, 8);
  EXPECT_EQ(scale & (scale - 1), 0);
  EXPECT_EQ(scale_of(prompt, continued(prompt, {note(25, 50)}).bytes), 1) << "these fit as it is";
}

TEST(SmfContinuation, SmpteFramesAndRiffContainersWork) {
  for (const int division : {0xE728, 0xE301, 0xE804, 0xE2FF})
    expect_promises(smf({"0a 90 3c 40 05 80 3c 00"}, static_cast<std::uint16_t>(division)),
                    {note(250, 7, 1), note(250, 3, 2), note(300, 0, 2)}, std::to_string(division));
  const Bytes inner = smf({"00 90 3c 40 05 80 3c 00"});
  Bytes riff = hex("52494646 00000000 524d4944 64617461");
  append(riff, {std::byte(inner.size()), std::byte(0), std::byte(0), std::byte(0)});
  append(riff, inner);
  EXPECT_EQ(continued(riff, {note(3, 5, 1)}).bytes, continued(inner, {note(3, 5, 1)}).bytes);
}

TEST(SmfContinuation, ACutOfTheTimesSumDoesNotTurnAHalfTheOtherWay) {
  // 480 ticks a beat: notes of 120 ticks last 12.5 steps, and which way that rounds hangs on the last bit of a sum.
  std::mt19937_64 random(4);
  for (int round = 0; round < 200; ++round) {
    Bytes file = hex("4d546864 00000006 0000 0001 01e0 4d54726b 000000d7");
    for (int i = 0; i < 5; ++i)
      append(file, {std::byte(120 * (round % 7 != 0)), std::byte(0x90), std::byte(60), std::byte(9), std::byte(120),
                    std::byte(0x80), std::byte(60), std::byte(0)});
    std::string offs;
    for (int i = 0; i < 20; ++i) append(file, {std::byte(0), std::byte(0x90), std::byte(40 + i), std::byte(9)});
    for (int i = 0; i < 20; ++i)
      append(file, {std::byte(random() % 2 == 0 ? 24 : 72), std::byte(0x80), std::byte(40 + i), std::byte(9)});
    append(file, hex("00 ff 2f 00"));
    file[21] = std::byte(file.size() - 22);
    expect_promises(file, notes_after(notes_of(file), 5, 100, random), std::to_string(round));
  }
}

TEST(SmfContinuation, ATempoThatStandsStillIsFollowedByOneThatMoves) {
  for (const char* tempo : {"000000", "000001"}) {
    const Bytes prompt = smf({std::string("05 90 3c 40 05 80 3c 00 05 ff 51 03 ") + tempo});
    EXPECT_THAT(notes_of(continued(prompt, {note(100, 50, 1)}).bytes), ElementsAre(note(5, 5), note(100, 50, 1)));
  }
}

TEST(SmfContinuation, NotesThatSoundOnKeepTheirEndsAndTheirProgram) {
  // All fifteen channels sound on, each with the program that the new music plays, and then the key it plays.
  std::string track;
  for (int c = 0; c < 16; ++c) track += spelt({0, 0xC0 | c, 40});
  for (int c = 0; c < 16; ++c) track += spelt({0, 0x90 | c, 50 + c, 70});
  for (int c = 0; c < 16; ++c) track += spelt({100, 0x80 | c, 50 + c, 0});
  const Bytes prompt = smf({track});
  expect_promises(prompt, {note(10, 20, 3), note(15, 20, 4, 51), note(20, 5, 5, 52), note(900, 20, 3, 65)});
  EXPECT_EQ(
      continued(prompt, {note(10, 20, 3)}).remark,
      "the new music shares channels with the prompt by program changes; 1 notes begin on a channel where another "
      "instrument still sounds");
  // Of the same instrument: each off closes the oldest note of the key, so ours must wait.
  const auto all = notes_of(continued(prompt, {note(10, 20, 40, 52), note(10, 20, kDrums, 59)}).bytes);
  ASSERT_EQ(all.size(), 18U);
  EXPECT_EQ(std::vector(all.begin(), all.begin() + 16), notes_of(prompt));
}

TEST(SmfContinuation, AHeldDrumIsNotCutByANewOne) {
  const Bytes closed = smf({"0a 99 24 40 64 89 24 00"});
  EXPECT_THAT(notes_of(continued(closed, {note(20, 5, kDrums, 36)}).bytes),
              ElementsAre(note(10, 100, kDrums, 36), note(20, 90, kDrums, 36)));
  EXPECT_THAT(notes_of(continued(closed, {note(120, 5, kDrums, 36), note(20, 5, kDrums, 37)}).bytes),
              ElementsAre(note(10, 100, kDrums, 36), note(20, 5, kDrums, 37), note(120, 5, kDrums, 36)));
  const Bytes open = smf({"0a 99 24 40"});
  EXPECT_THAT(notes_of(continued(open, {note(20, 5, kDrums, 36), note(20, 5, kDrums, 38)}).bytes),
              ElementsAre(note(10, 25, kDrums, 36), note(20, 25, kDrums, 36), note(20, 5, kDrums, 38)));
}

TEST(SmfContinuation, UnusedChannelsComeFirstAndUsedOnesAreReset) {
  // The prompt leaves fifteen channels faded out, bent, and in other banks; all but the last are used no longer.
  std::string track;
  for (int c = 0; c < 15; ++c)
    track += spelt({0, 0xB0 | c, 7, 0, 0, 0xB0 | c, 0, 3, 0, 0xE0 | c, 0, 0, 0, 0x90 | c, 50, 70, 0, 0x80 | c, 50, 0});
  const auto events = events_of(continued(smf({track}), {note(0, 5, 1), note(1, 5, 2), note(1, 5, kDrums, 40)}).bytes);
  ASSERT_EQ(events.size(), 4U);
  const auto bytes = [](const std::vector<RawEvent>& of) {
    Bytes all;
    for (std::size_t i = 1; i + 1 < of.size(); ++i) append(all, of[i].second);
    return all;
  };
  EXPECT_EQ(bytes(events[1]), hex("cf 01 9f 3c 40 8f 3c 40"));
  EXPECT_EQ(bytes(events[2]), hex("b0 79 00 b0 00 00 b0 07 64 c0 02 90 3c 40 80 3c 40"));
  EXPECT_EQ(bytes(events[3]), hex("b9 79 00 b9 00 00 b9 07 64 99 28 40 89 28 40")) << "the kit is the prompt's";
}

TEST(SmfContinuation, APromptWithoutRoomForATrackIsRefusedEvenBeforeThereAreNotes) {
  Bytes prompt = hex("4d546864 00000006 0001 fffe 0032");
  for (int i = 0; i < 65'534; ++i) append(prompt, hex("4d54726b 00000000"));
  const auto refused = continue_midi(prompt, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("65534 tracks"));
  EXPECT_FALSE(continue_midi(hex("4d546864"), {}));
}

TEST(SmfContinuation, EveryRealFileStandsAndIsContinuedExactly) {
  std::mt19937_64 random(5);
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(MIDINF_TEST_DATA "/midi")) {
    if (entry.path().extension() != ".mid") continue;
    const auto bytes = read_file(entry.path().string(), kMaxMidiFileBytes);
    ASSERT_TRUE(bytes);
    const auto song = read_midi(*bytes);
    if (!song) {
      EXPECT_FALSE(continue_midi(*bytes, {}));
      continue;
    }
    ++files;
    for (const int instruments : {3, 20})
      expect_promises(*bytes, notes_after(song->notes, instruments, 300, random), entry.path().filename());
  }
  EXPECT_GT(files, 50);
}

}  // namespace
}  // namespace midinf
