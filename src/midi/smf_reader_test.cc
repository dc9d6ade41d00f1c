// What the reader takes, refuses and reads past, on hand-made bytes; the reference's own results are in
// tokens/tokens_golden_test.cc.
#include "midi/smf_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/file.h"
#include "midi/smf_test_bytes.h"
#include "midi/smf_writer.h"

namespace midinf {
namespace {

using ::testing::AllOf;
using testing::append;
using testing::Bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::hex;
using ::testing::IsEmpty;
using testing::smf;

Note note(std::int64_t onset, std::int64_t duration, int instrument = 0, int pitch = 60, int velocity = 64) {
  return {Ticks10ms(onset), Ticks10ms(duration), static_cast<std::uint8_t>(instrument),
          static_cast<std::uint8_t>(pitch), static_cast<std::uint8_t>(velocity)};
}

MidiSong song_of(const Bytes& file) {
  auto song = read_midi(file);
  EXPECT_TRUE(song) << song.error().to_string();
  return song ? *std::move(song) : MidiSong{};
}

// "where: message", or "read" if there was no error.
std::string error_of(const Bytes& file, ErrorCode code = ErrorCode::kCorrupt) {
  const auto song = read_midi(file);
  if (song) return "read";
  EXPECT_EQ(song.error().code, code) << song.error().to_string();
  return song.error().to_string();
}

Bytes data_file(const std::string& name) {
  auto bytes = read_file(std::string(MIDINF_TEST_DATA "/midi/") + name, kMaxMidiFileBytes);
  EXPECT_TRUE(bytes) << bytes.error().to_string();
  return bytes ? *std::move(bytes) : Bytes{};
}

// In smf(), one tick is 10 ms unless a tempo or another division says otherwise.

TEST(SmfReader, ReadsNotesWithVelocityInMergedOrder) {
  const MidiSong song = song_of(smf({"0a 90 3c 40 0a 80 3c 00", "05 91 40 01 05 91 41 7f 05 91 40 00 00 81 41 00"}));
  // At tick 10 the first track's note stands first.
  EXPECT_THAT(song.notes, ElementsAre(note(5, 10, 0, 64, 1), note(10, 10), note(10, 5, 0, 65, 127)));
  EXPECT_THAT(song.warnings, IsEmpty());
}

TEST(SmfReader, ATempoActsAfterItsOwnDeltaTimeInEveryTrack) {
  // From tick 10 on a tick lasts 20 ms: 10 + 2 * 5.
  EXPECT_THAT(song_of(smf({"0a ff 51 03 0f4240", "0f 90 3c 40 01 80 3c 00"})).notes, ElementsAre(note(20, 2)));
}

TEST(SmfReader, RoundsHalvesToEven) {
  // 4 ticks a beat: a tick is 12.5 steps.
  EXPECT_THAT(song_of(smf({"01 90 3c 40 02 80 3c 00 00 90 3e 40 01 80 3e 00"}, 4)).notes,
              ElementsAre(note(12, 25), note(38, 12, 0, 62)));
}

TEST(SmfReader, TakesDurationsFromUnroundedTimes) {
  // 1 ms a tick: 4 ms to 16 ms is 12 ms, one step, though the ends round to steps 0 and 2.
  EXPECT_THAT(song_of(smf({"04 90 3c 40 0c 80 3c 00"}, 500)).notes, ElementsAre(note(0, 1)));
}

TEST(SmfReader, ANoteOffClosesTheOldestOpenNote) {
  EXPECT_THAT(song_of(smf({"00 90 3c 01 05 90 3c 02 05 80 3c 00 14 80 3c 00 01 80 3c 00"})).notes,
              ElementsAre(note(0, 10, 0, 60, 1), note(5, 25, 0, 60, 2)));
}

TEST(SmfReader, ANoteOffLooksForTheChannelsPresentProgram) {
  // The violin's note ends only once the program is the violin's again.
  EXPECT_THAT(song_of(smf({"00 c0 28 00 90 3c 40 05 c0 29 05 80 3c 00 05 c0 28 05 80 3c 00"})).notes,
              ElementsAre(note(0, 20, 40)));
}

TEST(SmfReader, ChannelTenIsDrumsWhateverItsProgram) {
  EXPECT_THAT(song_of(smf({"00 c9 28 00 99 24 40 05 89 24 00"})).notes, ElementsAre(note(0, 5, kDrums, 36)));
}

TEST(SmfReader, ANoteThatIsNeverClosedLasts250MsAndIsReported) {
  const MidiSong song = song_of(smf({"00 90 3c 40 00 90 3d 40 05 80 3d 00 00 91 3c 40"}));
  EXPECT_THAT(song.notes, ElementsAre(note(0, 25), note(0, 5, 0, 61), note(5, 25)));
  EXPECT_THAT(song.warnings, ElementsAre("2 notes never end; they get 250 ms"));
}

TEST(SmfReader, KeepsDurationsThatTheVocabularyCannotHold) {
  EXPECT_THAT(song_of(smf({"00 90 3c 40 a0 00 80 3c 00"})).notes, ElementsAre(note(0, 4'096)));
}

TEST(SmfReader, RunningStatusOutlivesMetaEventsButNotSystemExclusiveOnes) {
  EXPECT_THAT(song_of(smf({"00 90 3c 40 05 ff 01 01 61 00 3c 00"})).notes, ElementsAre(note(0, 5)));
  EXPECT_THAT(error_of(smf({"00 90 3c 40 05 f0 02 01 f7 00 3c 00"})),
              AllOf(HasSubstr("byte 32: data byte 3c after a system exclusive event"), HasSubstr("export it")));
  EXPECT_THAT(error_of(smf({"00 3c 40"})), HasSubstr("byte 23: data byte 3c where a status byte must stand"));
  // Each track begins without one.
  EXPECT_THAT(error_of(smf({"00 90 3c 40 00 3c 00", "00 3c 40"})), HasSubstr("where a status byte must stand"));
}

TEST(SmfReader, SystemMessagesPassAndUndefinedOnesAreErrors) {
  EXPECT_THAT(
      song_of(smf({"00 f1 7f 00 f2 7f 7f 00 f3 7f 00 f6 00 f8 00 fa 00 fb 00 fc 00 fe 00 90 3c 40 05 80 3c 00"})).notes,
      ElementsAre(note(0, 5)));
  for (const char* status : {"f4", "f5", "f9", "fd"})
    EXPECT_THAT(error_of(smf({std::string("00 ") + status + " 00"})),
                HasSubstr(std::string("byte 23: status byte ") + status + " is not defined"));
  EXPECT_THAT(error_of(smf({"00 f6 00 01"})), HasSubstr("data byte 01 after message f6, which has none"));
}

TEST(SmfReader, ADataByteOver127IsAnErrorWhereItStands) {
  EXPECT_THAT(error_of(smf({"00 90 3c 80"})), HasSubstr("byte 25: 80 where message 90 wants a data byte"));
}

TEST(SmfReader, TimeBeforeUnknownMetaEventsAndEndsOfTrackCounts) {
  EXPECT_THAT(song_of(smf({"05 ff 0d 01 61 05 ff 2f 00 05 90 3c 40 05 80 3c 00"})).notes, ElementsAre(note(15, 5)));
}

TEST(SmfReader, StepsOverWhatDoesNotConcernIt) {
  // An impossible key, an empty channel prefix, an escape of arbitrary bytes, controllers, bends, pressures.
  EXPECT_THAT(song_of(smf({"00 ff 59 02 63 63 00 ff 20 00 00 f7 02 f8 ff 00 b0 07 7f 00 e0 00 40 00 d0 10 00 a0 3c 10"
                           "00 90 3c 40 05 80 3c 00"}))
                  .notes,
              ElementsAre(note(0, 5)));
}

TEST(SmfReader, SmpteDivisionsCountSecondsWhateverTheTempo) {
  // 25 frames of 40 ticks: 1 ms a tick. 29 frames stand for 30,000 / 1,001.
  EXPECT_THAT(song_of(smf({"00 ff 51 03 0f4240 8f 50 90 3c 40 64 80 3c 00"}, 0xE728)).notes,
              ElementsAre(note(200, 10)));
  EXPECT_THAT(song_of(smf({"e9 3c 90 3c 40 64 80 3c 00"}, 0xE301)).notes, ElementsAre(note(45'045, 334)));
  EXPECT_THAT(error_of(smf({}, 0xE700)), HasSubstr("byte 12: the header says 0 ticks per SMPTE frame"));
  EXPECT_THAT(error_of(smf({}, 0x8001)), HasSubstr("byte 12: the header says 128 SMPTE frames"));
  EXPECT_THAT(error_of(smf({}, 0)), HasSubstr("byte 12: the header says 0 ticks per beat"));
}

TEST(SmfReader, ATempoOfZeroStopsTimeAndIsReported) {
  const MidiSong song = song_of(smf({"05 ff 51 03 000000 05 90 3c 40 05 80 3c 00"}));
  EXPECT_THAT(song.notes, ElementsAre(note(5, 0)));
  EXPECT_THAT(song.warnings, ElementsAre(HasSubstr("tempo of 0")));
  EXPECT_THAT(error_of(smf({"00 ff 51 02 0000"})), HasSubstr("byte 26: a tempo of 2 bytes"));
}

TEST(SmfReader, FormatsOtherThan0And1AreRefusedOrReported) {
  EXPECT_THAT(error_of(smf({"00 90 3c 40"}, 50, 2), ErrorCode::kUnsupported), HasSubstr("byte 8: a format 2 file"));
  EXPECT_THAT(song_of(smf({}, 50, 7)).warnings, ElementsAre("format 7 does not exist; read as format 1"));
  EXPECT_THAT(song_of(smf({"00 90 3c 40 05 80 3c 00", "01 90 3c 40 05 80 3c 00"}, 50, 0)).notes.size(), 2u);
}

TEST(SmfReader, AFileWithoutNotesIsAnEmptySong) {
  EXPECT_THAT(song_of(smf({})).notes, IsEmpty());
  EXPECT_THAT(song_of(smf({""})).notes, IsEmpty());
}

TEST(SmfReader, WhatIsNotMidiIsToldApartFromWhatIsDamaged) {
  EXPECT_THAT(error_of({}), AllOf(HasSubstr("the file is empty"), HasSubstr("choose a MIDI file")));
  EXPECT_THAT(error_of(hex("ff fb 90 00 00 00")), HasSubstr("no 'MThd'"));
  EXPECT_THAT(error_of(hex("4d546864 00")), HasSubstr("byte 4: the file ends inside its header"));
  EXPECT_THAT(error_of(hex("4d546864 00000005 0000 0001 32")), HasSubstr("byte 4: a header of 5 bytes"));
  EXPECT_THAT(error_of(hex("4d546864 ffffffff 0000 0001 0032")), HasSubstr("byte 4: the file ends inside its header"));
  EXPECT_THAT(error_of(hex("4d546864 00000006 0001 ffff 0032")), HasSubstr("byte 14: the file ends before track 1"));
  EXPECT_THAT(error_of(hex("4d546864 00000006 0001 0001 0032 4d54726b fffffff0 00")),
              HasSubstr("byte 14: track 1 of 1 says 4294967280 bytes, but 1 are left"));
  EXPECT_THAT(error_of(hex("4d546864 00000006 0001 0001 0032 4a756e6b 00000000")),
              HasSubstr("no 'MTrk' where track 1"));
}

TEST(SmfReader, ALongerHeaderIsAllowedAndTrailingBytesAreReported) {
  Bytes file = hex("4d546864 00000008 0000 0001 0032 abcd 4d54726b 0000000c 00 90 3c 40 05 80 3c 00 00 ff 2f 00");
  EXPECT_THAT(song_of(file).notes, ElementsAre(note(0, 5)));
  append(file, hex("00 00 00"));
  EXPECT_THAT(song_of(file).warnings, ElementsAre("3 bytes after the last track ignored, from byte 36 on"));
}

TEST(SmfReader, LengthsAndNumbersFromTheFileAreBounded) {
  EXPECT_THAT(error_of(smf({"80 80 80 80 00 90 3c 40"})), HasSubstr("byte 22: a delta time is longer than four bytes"));
  EXPECT_THAT(error_of(smf({"00 ff 01 ff ff ff 7f 61"})), HasSubstr("the track ends inside a meta event"));
  EXPECT_THAT(error_of(smf({"00 f0 ff ff ff 7f 61"})), HasSubstr("the track ends inside a system exclusive event"));
  // An event may not run on into what follows its track.
  EXPECT_THAT(
      error_of(hex("4d546864 00000006 0001 0002 0032 4d54726b 00000003 00 90 3c 4d54726b 00000004 00 ff 2f 00")),
      HasSubstr("byte 25: the track ends inside an event"));
}

TEST(SmfReader, MusicBeyond115DaysIsRefused) {
  // 16.7 s a tick: 2^28 ticks are 142 years.
  EXPECT_THAT(error_of(smf({"00 ff 51 03 ffffff ff ff ff 7f 90 3c 40"}, 1), ErrorCode::kUnsupported),
              AllOf(HasSubstr("byte 33"), HasSubstr("more than 115 days")));
  Bytes large(kMaxMidiFileBytes + 1);
  EXPECT_THAT(error_of(large, ErrorCode::kUnsupported), HasSubstr("64 MiB"));
}

TEST(SmfReader, OpensRiffContainers) {
  const Bytes inner = smf({"00 90 3c 40 05 80 3c 00"});
  Bytes file = hex("52494646 00000000 524d4944 4c495354 03000000 61626300 64617461");  // RIFF RMID, LIST of 3, data
  append(file, {std::byte(inner.size()), std::byte(0), std::byte(0), std::byte(0)});
  append(file, inner);
  EXPECT_THAT(song_of(file).notes, ElementsAre(note(0, 5)));
  for (std::size_t size = 1; size < file.size(); ++size) EXPECT_FALSE(read_midi(std::span(file).first(size))) << size;
  EXPECT_THAT(error_of(hex("52494646 00000000 57415645 00000000")), HasSubstr("without MIDI in it"));
}

TEST(SmfReader, ErrorsNameTheFile) {
  const auto missing = read_midi_file(MIDINF_TEST_DATA "/midi/no-such-file.mid");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().to_string(), HasSubstr("no-such-file.mid"));
  const auto broken = read_midi_file(MIDINF_TEST_DATA "/midi/edge-cases/test-illegal-message-f4.mid");
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().to_string(), HasSubstr("test-illegal-message-f4.mid: byte 205: status byte f4"));
}

TEST(SmfReader, EveryTruncationOfRealFilesIsAnError) {
  for (const char* name : {"edge-cases/test-multichannel-chords-3.mid", "edge-cases/test-karaoke-kar.mid",
                           "edge-cases/test-2-tracks-type-1.mid", "freedoom-d_map02.mid"}) {
    const Bytes file = data_file(name);
    ASSERT_TRUE(read_midi(file)) << name;
    const std::size_t stride = file.size() / 2'000 + 1;
    for (std::size_t size = 0; size < file.size(); size += stride)
      EXPECT_FALSE(read_midi(std::span(file).first(size))) << name << " cut to " << size;
  }
}

TEST(SmfReader, ADamagedFileIsReadOrRefusedAndWhatIsReadCanBeWritten) {
  std::mt19937_64 random(3);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  int read = 0;
  int refused = 0;
  for (const char* name : {"edge-cases/test-multichannel-chords-3.mid", "edge-cases/test-illegal-message-f2-xx-xx.mid",
                           "edge-cases/test-vlq-4-byte.mid", "edge-cases/test-sysex-7x-08-0x-scale-tuning.mid"}) {
    const Bytes original = data_file(name);
    for (int round = 0; round < 2'500; ++round) {
      Bytes file = original;
      for (std::size_t i = 0; i <= below(4); ++i) {
        const std::size_t at = below(file.size());
        switch (below(6)) {
          case 0:
            file.erase(file.begin() + static_cast<std::ptrdiff_t>(at));
            break;
          case 1:
            file.insert(file.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::byte>(below(256)));
            break;
          default:
            file[at] = static_cast<std::byte>(below(256));
        }
      }
      const auto song = read_midi(file);
      song ? ++read : ++refused;
      if (!song) {
        EXPECT_FALSE(song.error().where.empty());
        continue;
      }
      EXPECT_TRUE(std::ranges::is_sorted(song->notes, {}, &Note::onset));
      const auto again = read_midi(write_midi(song->notes).bytes);
      ASSERT_TRUE(again) << again.error().to_string();
      EXPECT_EQ(again->notes.size(), song->notes.size());
    }
  }
  EXPECT_GT(read, 1'000);  // or the rounds test nothing
  EXPECT_GT(refused, 1'000);
}

}  // namespace
}  // namespace midinf
