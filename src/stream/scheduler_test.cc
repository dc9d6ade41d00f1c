#include "stream/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace midinf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kRate = 1000;  // one sample is a millisecond, a tick ten
constexpr Ticks10ms kFar(1'000'000'000);

// "12: on 3 60 100": at sample 12 of the run, note-on on channel 3 (from 0), key 60, velocity 100.
std::string to_text(std::int64_t sample, const MidiMessage& m) {
  static constexpr const char* kNames[] = {"off", "on", "?", "cc", "program", "?", "?", "?"};
  std::ostringstream text;
  text << sample << ": " << kNames[m.bytes[0] >> 4 & 7] << ' ' << (m.bytes[0] & 15) << ' ' << +m.bytes[1];
  const bool on_or_controller = (m.bytes[0] & 0xF0) == 0x90 || (m.bytes[0] & 0xF0) == 0xB0;
  if (on_or_controller) text << ' ' << +m.bytes[2];
  return text.str();
}

// A scheduler and its surroundings; time is counted in samples from the start.
struct Player {
  explicit Player(SchedulerSettings settings = {.sample_rate = kRate, .rebuffer_ms = 0}, std::size_t room = 256)
      : scheduler(settings, queue, controls), out(room) {}

  void push(const QueueMessage& message) { ASSERT_TRUE(queue.try_push(message)); }
  void note(std::int64_t onset, std::int64_t duration, int pitch = 60, int instrument = 0) {
    push(QueueMessage::note({Ticks10ms(onset), Ticks10ms(duration), static_cast<std::uint8_t>(instrument),
                             static_cast<std::uint8_t>(pitch), 100},
                            events++));
  }
  void reach(std::int64_t ticks) { push(QueueMessage::reach(Ticks10ms(ticks))); }
  void play_for_ever() { push(QueueMessage::reach(kFar)); }

  // What `frames` samples bring, in blocks of `block`, programs and volumes left out.
  std::vector<std::string> run(std::int64_t frames, std::uint32_t block = 64) {
    std::vector<std::string> notes;
    for (const std::string& text : run_all(frames, block))
      if (text.find("program") == std::string::npos && text.find("cc") == std::string::npos) notes.push_back(text);
    return notes;
  }
  std::vector<std::string> run_all(std::int64_t frames, std::uint32_t block = 64) {
    std::vector<std::string> texts;
    for (std::int64_t done = 0; done < frames;) {
      const auto size = static_cast<std::uint32_t>(std::min<std::int64_t>(block, frames - done));
      const std::size_t count = scheduler.process(size, out);
      for (std::size_t i = 0; i < count; ++i) texts.push_back(to_text(sample + out[i].offset, out[i]));
      done += size;
      sample += size;
    }
    return texts;
  }

  NoteQueue queue{1024};
  LiveControls controls;
  Scheduler scheduler;
  std::vector<MidiMessage> out;
  std::uint64_t events = 0;
  std::int64_t sample = 0;
};

TEST(Scheduler, PlaysANoteFromItsOnsetToItsEnd) {
  Player p;
  p.note(10, 5);
  p.play_for_ever();
  EXPECT_THAT(p.run_all(1000), ElementsAre("100: program 0 0", "100: cc 0 7 100", "100: on 0 60 100", "150: off 0 60"));
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(100));
  EXPECT_EQ(p.scheduler.playhead_seconds(), Seconds(1.0));
  EXPECT_EQ(p.scheduler.sounding(), 0);
}

TEST(Scheduler, TellsWhichEventEachMessageBelongsTo) {
  Player p;
  p.events = 7;
  p.note(0, 1, 60, 5);
  p.play_for_ever();
  ASSERT_EQ(p.scheduler.process(20, p.out), 4U);
  EXPECT_EQ(p.out[0].event, MidiMessage::kNoEvent);
  EXPECT_EQ(p.out[0].size, 2);
  EXPECT_EQ(p.out[2].event, 7U);
  EXPECT_EQ(p.out[2].size, 3);
  EXPECT_EQ(p.out[2].instrument, 5);
  EXPECT_EQ(p.out[3].event, 7U);
}

TEST(Scheduler, ANoteWithoutLengthSoundsOneTick) {
  Player p;
  p.note(3, 0);
  p.note(5, -4, 61);
  p.play_for_ever();
  EXPECT_THAT(p.run(200), ElementsAre("30: on 0 60 100", "40: off 0 60", "50: on 0 61 100", "60: off 0 61"));
}

TEST(Scheduler, NotesQueuedOutOfOrderPlayInOrder) {
  Player p;
  for (const int onset : {4, 2, 3, 1}) p.note(onset, 1, 60 + onset);
  p.play_for_ever();
  EXPECT_THAT(p.run(60), ElementsAre("10: on 0 61 100", "20: off 0 61", "20: on 0 62 100", "30: off 0 62",
                                     "30: on 0 63 100", "40: off 0 63", "40: on 0 64 100", "50: off 0 64"));
}

TEST(Scheduler, AtOneOffsetNoteOffsPrecedeNoteOns) {
  Player p;
  p.note(0, 10, 60, 0);
  p.note(0, 99, 62, 1);
  p.note(10, 10, 61, 0);  // begins where the first ends
  p.note(10, 10, 62, 1);  // cuts the second short
  p.play_for_ever();
  EXPECT_THAT(p.run(150), ElementsAre("0: on 0 60 100", "0: on 1 62 100", "100: off 0 60", "100: off 1 62",
                                      "100: on 0 61 100", "100: on 1 62 100"));
}

TEST(Scheduler, AKeyStruckAgainWhileItSoundsIsReleasedFirst) {
  Player p;
  p.note(0, 20);
  p.note(5, 5);
  p.play_for_ever();
  EXPECT_THAT(p.run(400), ElementsAre("0: on 0 60 100", "50: off 0 60", "50: on 0 60 100", "100: off 0 60"));
}

TEST(Scheduler, AKeyStruckTwiceAtOnceSoundsOnceToTheLaterEnd) {
  Player p;
  p.note(0, 5);
  p.note(0, 20);
  p.note(0, 10);
  p.play_for_ever();
  EXPECT_THAT(p.run(400), ElementsAre("0: on 0 60 100", "200: off 0 60"));
}

TEST(Scheduler, SeekingReleasesWhatSoundsAndForgetsWhatIsPending) {
  Player p;
  p.note(0, 1000);
  p.note(50, 10);
  p.play_for_ever();
  EXPECT_THAT(p.run(100), ElementsAre("0: on 0 60 100"));
  p.push(QueueMessage::seek(Ticks10ms(5000)));
  EXPECT_THAT(p.run(100), ElementsAre("100: off 0 60"));
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(5000));
  EXPECT_EQ(p.scheduler.seeks(), 1U);
  EXPECT_EQ(p.scheduler.state(), Scheduler::State::kWaiting);
  p.note(5001, 1, 70);
  p.play_for_ever();
  EXPECT_THAT(p.run(2000), ElementsAre("210: on 0 70 100", "220: off 0 70"));
  EXPECT_EQ(p.scheduler.underruns(), 0U) << "waiting for music after a seek is none";
  p.push(QueueMessage::seek(Ticks10ms(0)));
  p.note(0, 1);
  p.play_for_ever();
  EXPECT_THAT(p.run(100), ElementsAre("2200: on 0 60 100", "2210: off 0 60")) << "backwards";
}

TEST(Scheduler, ACutForgetsOnlyWhatHasNotStarted) {
  Player p;
  p.note(0, 30, 60);
  p.note(8, 5, 61);
  p.note(20, 5, 62);
  p.note(30, 5, 63);
  p.reach(100);
  EXPECT_THAT(p.run(100), ElementsAre("0: on 0 60 100", "80: on 0 61 100"));
  p.push(QueueMessage::cut_from(Ticks10ms(20)));
  p.note(25, 5, 72);
  p.reach(100);
  EXPECT_THAT(p.run(400), ElementsAre("130: off 0 61", "250: on 0 72 100", "300: off 0 60", "300: off 0 72"));
  EXPECT_EQ(p.scheduler.underruns(), 0U);
}

TEST(Scheduler, TheReachAfterACutIsTheCut) {
  Player p;
  p.reach(100);
  EXPECT_THAT(p.run(100), IsEmpty());
  p.push(QueueMessage::cut_from(Ticks10ms(20)));
  p.run(500);
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(20));
  EXPECT_EQ(p.scheduler.underruns(), 1U);
  p.push(QueueMessage::cut_from(Ticks10ms(50)));  // beyond the reach: what lies between was never queued
  p.run(500);
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(20));
}

TEST(Scheduler, PausingReleasesWhatSoundsAndStopsTheClock) {
  Player p;
  p.note(0, 50, 60);
  p.note(20, 10, 61);
  p.play_for_ever();
  EXPECT_THAT(p.run(100), ElementsAre("0: on 0 60 100"));
  p.controls.playing = false;
  EXPECT_THAT(p.run_all(1000), ElementsAre("100: off 0 60"));
  EXPECT_EQ(p.scheduler.state(), Scheduler::State::kPaused);
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(10));
  p.controls.playing = true;
  EXPECT_THAT(p.run(1000), ElementsAre("1200: on 0 61 100", "1300: off 0 61"));
  EXPECT_EQ(p.scheduler.state(), Scheduler::State::kPlaying);
}

TEST(Scheduler, CutsAndSeeksArriveWhilePaused) {
  Player p;
  p.note(20, 10);
  p.play_for_ever();
  p.controls.playing = false;
  p.run(100);
  p.push(QueueMessage::seek(Ticks10ms(300)));
  p.run(100);
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(300));
}

TEST(Scheduler, StoppingSilencesEveryChannelInUse) {
  Player p;
  p.note(0, 50, 60, 5);
  p.note(0, 50, 40, kDrums);
  p.note(20, 1, 61, 5);
  p.play_for_ever();
  p.run(100);
  p.controls.stop();
  EXPECT_THAT(p.run_all(1000), ElementsAre("100: off 0 60", "100: off 9 40", "100: cc 0 123 0", "100: cc 9 123 0",
                                           "100: cc 0 120 0", "100: cc 9 120 0"));
  p.controls.playing = true;
  EXPECT_THAT(p.run_all(150),
              ElementsAre("1200: program 0 5", "1200: cc 0 7 100", "1200: on 0 61 100", "1210: off 0 61"))
      << "the synthesizer is told anew what it plays";
}

TEST(Scheduler, PanicSilencesAndTheMusicGoesOn) {
  Player p;
  p.note(0, 50, 60);
  p.note(10, 1, 61);
  p.play_for_ever();
  p.run(100);
  p.controls.panic();
  EXPECT_THAT(p.run_all(100), ElementsAre("100: off 0 60", "100: cc 0 123 0", "100: cc 0 120 0", "100: program 0 0",
                                          "100: cc 0 7 100", "100: on 0 61 100", "110: off 0 61"));
}

TEST(Scheduler, MutingSilencesAnInstrumentAtOnce) {
  Player p;
  p.note(0, 50, 60, 0);
  p.note(0, 50, 60, 1);
  p.note(20, 10, 61, 0);
  p.note(40, 1, 62, 0);
  p.play_for_ever();
  p.run(100);
  p.controls.muted[0] = true;
  EXPECT_THAT(p.run(250), ElementsAre("100: off 0 60"));
  p.controls.muted[0] = false;
  EXPECT_THAT(p.run(100), ElementsAre("400: on 0 62 100", "410: off 0 62"));
}

TEST(Scheduler, TransposingLeavesSoundingNotesAndDrumsAlone) {
  Player p;
  p.note(0, 20, 60);
  p.note(10, 5, 60);
  p.note(10, 5, 40, kDrums);
  p.play_for_ever();
  p.run(50);
  p.controls.transpose = 5;
  EXPECT_THAT(p.run(400),
              ElementsAre("100: on 0 65 100", "100: on 9 40 100", "150: off 0 65", "150: off 9 40", "200: off 0 60"));
}

TEST(Scheduler, WhatTransposingTakesOffTheKeyboardComesBackByOctaves) {
  Player p;
  p.controls.transpose = 30;
  p.note(0, 1, 120);  // 150 -> 126
  p.note(1, 1, 97);   // 127
  p.play_for_ever();
  EXPECT_THAT(p.run(20), ElementsAre("0: on 0 126 100", "10: off 0 126", "10: on 0 127 100"));
  p.controls.transpose = -1000;  // as -36
  p.note(3, 1, 0);
  p.note(4, 1, 36);
  EXPECT_THAT(p.run(40),
              ElementsAre("20: off 0 127", "30: on 0 0 100", "40: off 0 0", "40: on 0 0 100", "50: off 0 0"));
}

TEST(Scheduler, ScalesVelocities) {
  Player p;
  p.play_for_ever();
  const auto struck_at = [&](int percent) {
    p.controls.velocity = percent;
    const std::int64_t now = p.scheduler.playhead().count();
    p.note(now, 1);
    const auto notes = p.run(20);
    return notes.empty() ? "" : notes[0].substr(notes[0].rfind(' ') + 1);
  };
  EXPECT_EQ(struck_at(100), "100");
  EXPECT_EQ(struck_at(50), "50");
  EXPECT_EQ(struck_at(200), "127");
  EXPECT_EQ(struck_at(900), "127");
  EXPECT_EQ(struck_at(1), "1");
  EXPECT_EQ(struck_at(0), "") << "no note, not the quietest one";
}

TEST(Scheduler, SendsAVolumeWhenItChangesAndWithAChannel) {
  Player p;
  p.controls.volume[3] = 30;
  p.note(0, 50, 60, 3);
  p.play_for_ever();
  EXPECT_THAT(p.run_all(10), ElementsAre("0: program 0 3", "0: cc 0 7 30", "0: on 0 60 100"));
  p.controls.volume[3] = 200;  // as 127
  p.controls.volume[4] = 11;   // an instrument that does not play
  EXPECT_THAT(p.run_all(10), ElementsAre("10: cc 0 7 127"));
  EXPECT_THAT(p.run_all(10), IsEmpty());
}

TEST(Scheduler, DrumsHaveChannelTenAndOthersOneEach) {
  Player p;
  p.note(0, 1, 36, kDrums);
  for (int i = 0; i < 15; ++i) p.note(0, 1, 60, 100 + i);
  p.play_for_ever();
  std::vector<std::string> expected = {"0: on 9 36 100"};
  for (int i = 0; i < 15; ++i) expected.push_back("0: on " + std::to_string(i < 9 ? i : i + 1) + " 60 100");
  EXPECT_EQ(p.run(5), expected);
}

TEST(Scheduler, TheSixteenthInstrumentTakesTheChannelIdleForLongest) {
  Player p;
  for (int i = 0; i < 15; ++i) p.note(i, i == 0 ? 100 : 1, 60, i);  // the first sounds on
  p.note(20, 1, 60, 1);                                             // the second played again
  p.note(30, 1, 60, 77);
  p.note(31, 1, 60, 2);  // comes back: on the next one idle
  p.play_for_ever();
  p.run(300);
  EXPECT_THAT(p.run_all(30), ElementsAre("300: program 2 77", "300: on 2 60 100", "310: off 2 60", "310: program 3 2",
                                         "310: on 3 60 100", "320: off 3 60"));
  EXPECT_EQ(p.scheduler.stolen(), 0U);
}

TEST(Scheduler, WithoutAnIdleChannelTheOneWithTheFewestNotesGivesWay) {
  Player p;
  for (int i = 0; i < 15; ++i) {
    p.note(i, 100, 60, i);
    if (i != 4 && i != 6) p.note(i, 100, 62, i);
  }
  p.note(30, 1, 60, 77);
  p.play_for_ever();
  p.run(300);
  EXPECT_THAT(p.run_all(1), ElementsAre("300: off 4 60", "300: program 4 77", "300: on 4 60 100"));
  EXPECT_EQ(p.scheduler.stolen(), 1U);
}

TEST(Scheduler, ASixteenthInstrumentAtOneInstantIsDroppedAndCounted) {
  Player p;
  for (int i = 0; i < 16; ++i) p.note(0, 10, 60, i);
  p.play_for_ever();
  EXPECT_EQ(p.run(5).size(), 15U);
  EXPECT_EQ(p.scheduler.dropped(), 1U);
  EXPECT_EQ(p.scheduler.crowded_out(), 1U);
  EXPECT_EQ(p.scheduler.stolen(), 0U);
}

TEST(Scheduler, WaitingForTheFirstMusicIsNoUnderrun) {
  Player p({.sample_rate = kRate, .start = Ticks10ms(-5), .rebuffer_ms = 250});
  EXPECT_THAT(p.run(1000), IsEmpty());
  p.note(0, 1);
  p.reach(19);
  EXPECT_THAT(p.run(1000), IsEmpty()) << "24 ticks are ahead, 25 are wanted";
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(-5));
  EXPECT_EQ(p.scheduler.state(), Scheduler::State::kWaiting);
  p.reach(20);
  EXPECT_THAT(p.run(100), ElementsAre("2050: on 0 60 100", "2060: off 0 60"));
  EXPECT_EQ(p.scheduler.underruns(), 0U);
}

TEST(Scheduler, AnUnderrunHoldsTheClockAndLosesNothing) {
  Player p({.sample_rate = kRate, .rebuffer_ms = 100});
  p.note(5, 50);
  p.reach(30);
  EXPECT_THAT(p.run(1000), ElementsAre("50: on 0 60 100", "300: off 0 60"));
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(30));
  EXPECT_EQ(p.scheduler.state(), Scheduler::State::kUnderrun);
  EXPECT_EQ(p.scheduler.underruns(), 1U);
  p.note(30, 5, 61);
  p.note(32, 1, 62);
  p.reach(39);
  EXPECT_THAT(p.run(1000), IsEmpty()) << "90 ms are ahead, 100 wanted";
  p.reach(40);
  EXPECT_THAT(p.run(60), ElementsAre("2000: on 0 61 100", "2020: on 0 62 100", "2030: off 0 62", "2050: off 0 61"));
  EXPECT_EQ(p.scheduler.underruns(), 1U);
  EXPECT_EQ(p.scheduler.late(), 0U);
  p.run(1000);
  EXPECT_EQ(p.scheduler.underruns(), 2U);
}

TEST(Scheduler, FasterMusicWantsMoreAheadBeforeItGoesOn) {
  Player p({.sample_rate = kRate, .rebuffer_ms = 100});
  p.controls.speed = 4000;
  p.reach(39);
  p.run(10);
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(0));
  p.reach(40);
  p.run(10);
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(4));
}

TEST(Scheduler, ANoteALittleLateIsPlayedAtOnceAndALaterOneDropped) {
  Player p;
  p.play_for_ever();
  p.run(1000);
  p.note(89, 100, 60);
  p.note(90, 100, 61);
  p.note(95, 2, 62);  // over already: sounds one tick
  EXPECT_THAT(p.run(100), ElementsAre("1000: on 0 61 100", "1000: on 0 62 100", "1010: off 0 62"));
  EXPECT_EQ(p.scheduler.late(), 2U);
  EXPECT_EQ(p.scheduler.dropped(), 1U);
  EXPECT_EQ(p.scheduler.crowded_out(), 0U);
}

TEST(Scheduler, ANoteOnAFractionOfASampleIsNotLate) {
  Player p;
  p.controls.speed = 3777;  // a tick is no whole number of samples
  p.play_for_ever();
  for (int i = 0; i < 500; ++i) {
    p.run(1);
    const Ticks10ms now = p.scheduler.playhead();
    if (p.scheduler.playhead_seconds() > to_seconds(now)) p.note(now.count() + 1, 1);
  }
  EXPECT_EQ(p.scheduler.late(), 0U);
}

TEST(Scheduler, WhatDoesNotFitFollowsInTheNextCalls) {
  Player p({.sample_rate = kRate, .rebuffer_ms = 0}, 1);
  p.note(0, 3, 60);
  p.note(0, 1, 61);
  p.play_for_ever();
  EXPECT_THAT(p.run_all(7 * 20, 20), ElementsAre("0: program 0 0", "20: cc 0 7 100", "40: on 0 60 100", "60: off 0 60",
                                                 "80: on 0 61 100", "100: off 0 61"));
  p.out.clear();
  p.note(20, 1, 62);
  EXPECT_THAT(p.run_all(200), IsEmpty());
  p.out.resize(8);
  EXPECT_THAT(p.run_all(40), ElementsAre("340: on 0 62 100", "350: off 0 62"));
}

TEST(Scheduler, MoreNotesThanItHoldsWaitInTheQueue) {
  for (const int spacing : {0, 1, 40}) {
    Player p({.sample_rate = kRate, .pending = 4, .rebuffer_ms = 250});
    for (int i = 0; i < 100; ++i) p.note(10 + i * spacing, 1, i);
    p.play_for_ever();
    std::size_t struck = 0;
    for (const std::string& text : p.run(60'000, 16)) struck += text.find("on") != std::string::npos;
    EXPECT_EQ(struck, 100U) << spacing;
    EXPECT_EQ(p.scheduler.dropped(), 0U);
  }
}

TEST(Scheduler, SpeedStretchesTimeFromTheNextBlockOn) {
  Player p;
  for (int i = 0; i < 5; ++i) p.note(10 * i, 5, 60 + i);
  p.play_for_ever();
  EXPECT_THAT(p.run(100, 50), ElementsAre("0: on 0 60 100", "50: off 0 60"));
  p.controls.speed = 500;
  EXPECT_THAT(p.run(200, 50), ElementsAre("100: on 0 61 100", "200: off 0 61"));
  p.controls.speed = 2000;
  EXPECT_THAT(p.run(50, 50), ElementsAre("300: on 0 62 100", "325: off 0 62"));
  p.controls.speed = 0;  // as 250
  EXPECT_THAT(p.run(400, 50), ElementsAre("350: on 0 63 100", "550: off 0 63"));
  EXPECT_EQ(p.scheduler.playhead(), Ticks10ms(40));
}

TEST(Scheduler, TimesBeyondEverythingDoNotOverflow) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  Player p({.sample_rate = 1'000'000, .start = Ticks10ms(-kMost), .rebuffer_ms = 1000});
  p.note(kMost, kMost);
  p.reach(kMost);
  p.run(10'000);
  p.push(QueueMessage::seek(Ticks10ms(kMost)));
  p.note(kMost, kMost);
  p.reach(kMost);
  p.run(10'000);
  EXPECT_EQ(p.scheduler.underruns(), 0U);
}

// When the plain arithmetic of fractions says that `ticks` of music are over: the first sample n with
// n / rate * speed / 1000 >= ticks / 100.
std::int64_t exact_sample(std::int64_t ticks, int rate, int speed) {
  const std::int64_t numerator = ticks * rate * 10;
  return numerator / speed + (numerator % speed != 0 ? 1 : 0);
}

TEST(Scheduler, IsExactToTheSampleForThreeHours) {
  std::mt19937 random(5);
  for (const auto& [rate, speed] : {std::pair{44'100, 1000}, {44'100, 1237}, {48'000, 251}, {22'050, 3999}}) {
    Player p({.sample_rate = rate});
    p.controls.speed = speed;
    const std::int64_t frames = std::int64_t{3} * 3600 * rate;
    struct Expected {
      std::int64_t on, off;
    };
    std::map<std::uint64_t, Expected> expected;
    std::int64_t onset = 0, sample = 0, checked = 0;
    while (sample < frames) {
      while (onset < p.scheduler.playhead().count() + 400) {
        const int duration = static_cast<int>(random() % 50);
        expected[p.events] = {exact_sample(onset, rate, speed),
                              exact_sample(onset + std::max(duration, 1), rate, speed)};
        p.note(onset, duration, static_cast<int>(p.events % 100));  // a key comes again when it is long silent
        onset += 1 + random() % 40;
        p.reach(onset);
      }
      const std::uint32_t block = 1 + random() % 2048;
      const std::size_t count = p.scheduler.process(block, p.out);
      for (std::size_t i = 0; i < count; ++i) {
        const MidiMessage& m = p.out[i];
        if (m.event == MidiMessage::kNoEvent) continue;
        const Expected& e = expected.at(m.event);
        const bool on = m.bytes[0] >> 4 == 9;
        ASSERT_EQ(sample + m.offset, on ? e.on : e.off) << "event " << m.event;
        if (!on) expected.erase(m.event), ++checked;
      }
      sample += block;
    }
    EXPECT_GT(checked, 10'000);
    EXPECT_LT(expected.size(), 500U) << "notes that never came";
    EXPECT_EQ(p.scheduler.underruns() + p.scheduler.late() + p.scheduler.dropped(), 0U);
  }
}

// A synthesizer that complains: it checks every rule that holds whatever happens.
class StrictSynth {
 public:
  void take(std::span<const MidiMessage> messages, std::uint32_t frames) {
    std::uint32_t last = 0;
    std::int64_t last_on = -1;
    for (const MidiMessage& m : messages) {
      ASSERT_LT(m.offset, frames);
      ASSERT_GE(m.offset, last);
      last = m.offset;
      const int channel = m.bytes[0] & 15;
      const std::pair key{channel, static_cast<int>(m.bytes[1])};
      ASSERT_LT(m.bytes[1], 128);
      ASSERT_LT(m.bytes[2], 128);
      ASSERT_EQ(channel == 9, m.instrument == kDrums);
      switch (m.bytes[0] >> 4) {
        case 8:
          ASSERT_EQ(sounding.count(key), 1U) << "released without being struck";
          ASSERT_EQ(sounding[key], m.event);
          ASSERT_NE(last_on, m.offset) << "a note-off after a note-on at one offset";
          sounding.erase(key);
          break;
        case 9:
          ASSERT_GT(m.bytes[2], 0);
          ASSERT_TRUE(sounding.emplace(key, m.event).second) << "struck while it sounds";
          ASSERT_TRUE(channel == 9 || program[channel] == m.instrument);
          ASSERT_TRUE(struck.insert(m.event).second) << "an event struck twice";
          last_on = m.offset;
          break;
        case 11:
          if (m.bytes[1] != 7) {
            ASSERT_EQ(on_channel(channel), 0) << "silenced before released";
          }
          break;
        case 12:
          ASSERT_EQ(on_channel(channel), 0) << "a program changes under a note";
          program[channel] = m.bytes[1];
          break;
        default:
          FAIL() << "status " << +m.bytes[0];
      }
    }
  }
  [[nodiscard]] int on_channel(int channel) const {
    return static_cast<int>(
        std::count_if(sounding.begin(), sounding.end(), [&](const auto& each) { return each.first.first == channel; }));
  }

  std::map<std::pair<int, int>, std::uint64_t> sounding;  // (channel, key) -> event
  std::map<int, int> program;
  std::set<std::uint64_t> struck;
};

TEST(Scheduler, KeepsItsRulesUnderRandomMusicAndRandomHands) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); };
    Player p({.sample_rate = 8000, .pending = seed % 2 ? 64U : 1024U, .rebuffer_ms = 50}, seed % 3 ? 64 : 3);
    StrictSynth synth;
    std::int64_t onset = 0;
    const int instruments = 2 + below(30);
    for (int step = 0; step < 4000; ++step) {
      for (int i = below(6); i > 0 && p.queue.size() + 2 < p.queue.capacity(); --i) {
        onset += below(3) ? 0 : below(30);
        p.note(onset - (below(20) ? 0 : below(20)), below(60), 30 + below(60),
               below(8) ? below(instruments) * 4 : kDrums);
        if (below(3)) p.reach(onset);
      }
      const std::int64_t now = p.scheduler.playhead().count();
      if (p.queue.size() + 2 < p.queue.capacity()) {
        if (below(100) == 0) p.push(QueueMessage::cut_from(Ticks10ms(onset = now + below(40))));
        if (below(300) == 0) p.push(QueueMessage::seek(Ticks10ms(onset = below(100'000))));
      }
      if (below(100) == 0) p.controls.speed = 250 + below(3751);
      if (below(100) == 0) p.controls.transpose = below(73) - 36;
      if (below(100) == 0) p.controls.velocity = below(201);
      if (below(50) == 0)
        p.controls.volume[static_cast<std::size_t>(below(129))] = static_cast<std::uint8_t>(below(128));
      if (below(50) == 0) p.controls.muted[static_cast<std::size_t>(below(129))] = below(2) == 0;
      if (below(100) == 0) p.controls.playing = below(4) != 0;
      if (below(200) == 0) p.controls.panic();
      const auto frames = static_cast<std::uint32_t>(1 + below(500));
      const std::size_t count = p.scheduler.process(frames, p.out);
      ASSERT_NO_FATAL_FAILURE(synth.take(std::span(p.out).first(count), frames)) << "step " << step;
      ASSERT_EQ(p.scheduler.sounding(), static_cast<int>(synth.sounding.size()));
    }
    EXPECT_GT(synth.struck.size(), 100U);
    p.controls.stop();
    for (std::size_t count = 1; count > 0;) {
      count = p.scheduler.process(64, p.out);
      ASSERT_NO_FATAL_FAILURE(synth.take(std::span(p.out).first(count), 64));
    }
    EXPECT_TRUE(synth.sounding.empty()) << "hanging after stop";
    EXPECT_EQ(p.scheduler.sounding(), 0);
  }
}

TEST(Scheduler, LosesNoNoteToUnderrunsPausesOrFullBuffers) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); };
    Player p({.sample_rate = 8000, .pending = seed % 2 ? 16U : 1024U, .rebuffer_ms = below(200)}, seed % 3 ? 64 : 2);
    StrictSynth synth;
    std::int64_t onset = 0;
    constexpr std::uint64_t kNotes = 3000;
    int idle = 0;
    while (idle < 500) {
      for (int i = below(4); i > 0 && p.events < kNotes && p.queue.size() + 2 < p.queue.capacity(); --i) {
        onset += below(2) ? 0 : below(12);
        p.note(onset, below(60), static_cast<int>(p.events % 128), static_cast<int>(p.events / 128 % 15));
        p.reach(p.events == kNotes ? kFar.count() : onset);
      }
      if (below(50) == 0) p.controls.speed = 250 + below(3751);
      if (p.events == kNotes || below(30) == 0) p.controls.playing = p.events == kNotes || below(3) != 0;
      const auto frames = static_cast<std::uint32_t>(1 + below(500));
      const std::size_t count = p.scheduler.process(frames, p.out);
      ASSERT_NO_FATAL_FAILURE(synth.take(std::span(p.out).first(count), frames));
      idle = count == 0 && p.events == kNotes ? idle + 1 : 0;
    }
    EXPECT_EQ(synth.struck.size(), kNotes);
    EXPECT_EQ(p.scheduler.dropped(), 0U);
    EXPECT_TRUE(synth.sounding.empty());
  }
}

// A producer that cuts and seeks, a hand on every control and the audio side, each on a thread of its own.
TEST(Scheduler, PlaysForThreeThreadsAtOnce) {
  NoteQueue queue(64);
  LiveControls controls;
  Scheduler scheduler({.sample_rate = 48'000, .pending = 128, .rebuffer_ms = 5}, queue, controls);
  std::atomic<bool> over{false};
  std::atomic<bool> failed{false};
  const auto push = [&](const QueueMessage& message) {
    while (!queue.try_push(message) && !failed) std::this_thread::yield();
  };
  std::thread producer([&] {
    std::mt19937 random(1);
    std::int64_t onset = 0;
    for (std::uint64_t event = 0; event < 20'000; ++event) {
      onset += random() % 3;
      if (event % 97 == 0) push(QueueMessage::cut_from(Ticks10ms(onset = scheduler.playhead().count() + 2)));
      if (event % 1009 == 0) push(QueueMessage::seek(Ticks10ms(onset = random() % 1000)));
      push(
          QueueMessage::note({Ticks10ms(onset), Ticks10ms(static_cast<int>(random() % 20)),
                              static_cast<std::uint8_t>(random() % 129), static_cast<std::uint8_t>(random() % 128), 90},
                             event));
      push(QueueMessage::reach(Ticks10ms(onset)));
    }
    over = true;
  });
  std::thread hand([&] {
    std::mt19937 random(2);
    while (!over) {
      controls.speed = 1000 + static_cast<int>(random() % 3000);
      controls.transpose = static_cast<int>(random() % 24) - 12;
      controls.volume[random() % kInstruments] = static_cast<std::uint8_t>(random() % 128);
      controls.muted[random() % kInstruments] = random() % 4 == 0;
      controls.playing = random() % 8 != 0;
      if (random() % 16 == 0) controls.panic();
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    controls.playing = true;
  });
  StrictSynth synth;
  std::vector<MidiMessage> out(32);
  const auto play = [&] {
    const std::size_t count = scheduler.process(480, out);
    synth.take(std::span(out).first(count), 480);
    return count;
  };
  while ((!over || queue.size() > 0) && !testing::Test::HasFatalFailure()) play();
  failed = testing::Test::HasFatalFailure();
  producer.join();
  hand.join();
  ASSERT_FALSE(failed);
  EXPECT_GT(synth.struck.size(), 100U);
  controls.stop();
  while (play() > 0) {
  }
  EXPECT_TRUE(synth.sounding.empty());
}

}  // namespace
}  // namespace midinf
