#include "stream/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace midinf {
namespace {

using testing::ElementsAre;

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
  EXPECT_EQ(p.scheduler.sounding(), 0);
}

}  // namespace
}  // namespace midinf
