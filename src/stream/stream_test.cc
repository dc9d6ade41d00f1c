// The stream on a small random network: what it promises must hold whatever the music is.
#include "stream/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "model/random_checkpoint.h"
#include "stream/stream_worker.h"
#include "tokens/triplets.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

constexpr Gpt2Config kShape{.layers = 1, .heads = 2, .width = 32, .context = kContext, .vocabulary = kVocabulary};

class StreamTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const RandomCheckpoint checkpoint(kShape, 7);
    network_ = *Network::load(checkpoint, *available_kernels().front());
  }
  static void TearDownTestSuite() { network_.reset(); }

  // Random weights make random music: this keeps the steps short and something sounding.
  class ShortSteps : public LogitProcessor {
   public:
    void narrow(const StepContext& context, RowRanges& allowed) const override {
      if (context.slot == Slot::kNote) allowed.remove({kRest, kRest + 1});
      if (context.slot != Slot::kOnset) return;
      const auto latest = static_cast<TokenId>((context.now - context.window_origin).count()) + 30;
      if (latest < kMaxOnset) allowed.remove({latest, kMaxOnset});
    }
  };
  class Chords : public LogitProcessor {  // five notes at a time, every half second
   public:
    void narrow(const StepContext& context, RowRanges& allowed) const override {
      if (context.slot == Slot::kNote) allowed.remove({kRest, kRest + 1});
      if (context.slot != Slot::kOnset) return;
      const auto now = context.now;
      const auto together = std::count_if(context.history.begin(), context.history.end(),
                                          [now](const Triplet& t) { return onset_of(t) == now; });
      const auto next = static_cast<TokenId>((now - context.window_origin).count()) + (together >= 5 ? 50 : 0);
      allowed.intersect({RowRange{next, next + 1}});
    }
  };
  class OneKey : public LogitProcessor {  // strikes one key every half second: a loop
   public:
    void narrow(const StepContext& context, RowRanges& allowed) const override {
      const auto now = static_cast<TokenId>((context.now - context.window_origin).count());
      const TokenId step = context.history.size() > 1 ? now + 50 : now;
      RowRanges wanted = allowed;
      if (context.slot == Slot::kNote) wanted.intersect({RowRange{kNoteBase + 60, kNoteBase + 61}});
      if (context.slot == Slot::kOnset) wanted.intersect({RowRange{step, step + 1}});
      if (!wanted.empty()) allowed = wanted;
    }
  };
  static Settings settings(std::uint64_t seed = 1) {
    static const auto steps = std::make_shared<ShortSteps>();
    return {.seed = seed, .ensemble = {0, 33, 128}, .recover = false, .processors = {steps}};
  }
  static std::shared_ptr<Stream> stream(Settings chosen = settings(), StreamOptions options = {}) {
    return std::make_shared<Stream>(network_, std::make_shared<ComputePool>(1), std::move(chosen), begin_piece(),
                                    options);
  }
  static void run(Stream& stream) {
    while (stream.step()) {
    }
  }
  // Plays `seconds` in blocks of 50 ms, generating between them.
  static std::vector<StreamNote> play(Stream& stream, double seconds) {
    std::vector<StreamNote> heard;
    const Ticks10ms end = stream.playhead() + to_ticks(Seconds(seconds));
    while (stream.playhead() < end) {
      run(stream);
      const auto notes = stream.pull(std::min(end, stream.playhead() + Ticks10ms(5)));
      heard.insert(heard.end(), notes.begin(), notes.end());
    }
    return heard;
  }
  static std::shared_ptr<const Network> network_;
};
std::shared_ptr<const Network> StreamTest::network_;

TEST_F(StreamTest, StaysItsLookAheadBeyondThePlayheadAndNoFurther) {
  const auto one = stream();
  run(*one);
  EXPECT_GE(one->seconds_ahead(), 4.0);
  EXPECT_LT(one->seconds_ahead(), 4.5);
  EXPECT_FALSE(one->step());
  one->pull(Ticks10ms(100));
  EXPECT_TRUE(one->step());
}

TEST_F(StreamTest, ReadsALongPromptInSlicesBetweenWhichAChangeIsHeeded) {
  std::vector<Note> prompt;
  for (int i = 0; i < 250; ++i)
    prompt.push_back({Ticks10ms(20 * i), Ticks10ms(20), 0, static_cast<std::uint8_t>(40 + i % 30)});
  Stream one(network_, std::make_shared<ComputePool>(1), settings(), continue_piece(prompt));
  Stream::Job job;
  Stream::Job* const jobs[] = {&job};
  std::size_t slices = 0;
  for (std::size_t unread = 1024; one.begin_step(job) && job.kind == Stream::Job::Kind::kRead; ++slices) {
    const std::size_t left = job.decoder->read_towards(job.context, 0);
    EXPECT_LT(left, unread);
    unread = left;
    compute(jobs);
    EXPECT_GE(job.decoder->read_towards(job.context, 0) + 32, left);
    one.end_step(job);
  }
  EXPECT_GE(slices, 10U);
  EXPECT_EQ(job.kind, Stream::Job::Kind::kEvent);
  EXPECT_FALSE(job.context.empty());
}

TEST_F(StreamTest, InDenseMusicNoChangeWaitsForAWindowToBeReadAgain) {
  class Dense : public LogitProcessor {  // 33 notes a second: eight seconds may reach over two slides
   public:
    void narrow(const StepContext& context, RowRanges& allowed) const override {
      const auto now = static_cast<TokenId>((context.now - context.window_origin).count());
      RowRanges wanted = allowed;
      if (context.slot == Slot::kNote) wanted.remove({kRest, kRest + 1});
      if (context.slot == Slot::kOnset) wanted.intersect({RowRange{now + 3, now + 4}});
      if (!wanted.empty()) allowed = wanted;
    }
  };
  Settings chosen{.seed = 1, .recover = false, .processors = {std::make_shared<Dense>()}};
  const auto one = stream(chosen, {.look_ahead = Seconds(8)});
  run(*one);
  for (int i = 0; i < 11; ++i) {
    one->pull(one->playhead() + Ticks10ms(110));
    run(*one);
    EXPECT_GE(one->seconds_ahead(), 8.0);
    chosen.temperature = i % 2 == 0 ? 0.9F : 1.0F;
    ASSERT_TRUE(one->change(chosen));
    Stream::Job job;
    ASSERT_TRUE(one->begin_step(job));
    EXPECT_EQ(job.kind, Stream::Job::Kind::kEvent) << i;
    run(*one);
  }
  EXPECT_GT(one->slides(), 1U);
}

TEST_F(StreamTest, PullsEveryNoteOnceInOrderAndInTime) {
  const auto one = stream();
  const auto heard = play(*one, 30);
  ASSERT_GT(heard.size(), 100U);
  for (std::size_t i = 1; i < heard.size(); ++i) {
    EXPECT_GT(heard[i].event, heard[i - 1].event);
    EXPECT_GE(heard[i].note.onset, heard[i - 1].note.onset);
  }
  const auto all = one->notes();
  ASSERT_GT(all.size(), heard.size());
  EXPECT_TRUE(std::equal(heard.begin(), heard.end(), all.begin()));
  EXPECT_EQ(one->underruns(), 0U);
}

TEST_F(StreamTest, CountsAnUnderrunOnceAndLosesNothing) {
  const auto one = stream();
  run(*one);
  auto heard = one->pull(Ticks10ms(100));
  for (int i = 0; i < 5; ++i) {
    const auto more = one->pull(Ticks10ms(10'000));
    heard.insert(heard.end(), more.begin(), more.end());
  }
  EXPECT_EQ(one->underruns(), 1U);
  EXPECT_EQ(one->playhead(), one->generated_to());
  const auto rest = play(*one, 5);
  heard.insert(heard.end(), rest.begin(), rest.end());
  const auto all = one->notes();
  EXPECT_TRUE(std::equal(heard.begin(), heard.end(), all.begin()));
}

TEST_F(StreamTest, ARecoveryTakesNothingBackThatWasPulledWhileItsStepWasComputed) {
  const auto one = stream({.seed = 1, .processors = {std::make_shared<OneKey>()}});
  std::vector<StreamNote> heard;
  const auto pull = [&](Ticks10ms until) {
    for (const StreamNote& note : one->pull(until)) heard.push_back(note);
  };
  unsigned recoveries = 0;
  for (int i = 0; i < 900; ++i) {
    Stream::Job job;
    if (!one->begin_step(job)) {
      pull(one->generated_to());
      continue;
    }
    Stream::Job* const jobs[] = {&job};
    compute(jobs);
    if (i % 9 == 0 && one->seconds_ahead() > 0.6) pull(one->playhead() + Ticks10ms(40));  // longer than the reaction
    const Ticks10ms playhead = one->playhead();
    one->end_step(job);
    if (one->recovery_counts().recoveries > recoveries) {
      ASSERT_GE(one->generated_to(), playhead);
    }
    recoveries = one->recovery_counts().recoveries;
  }
  EXPECT_GT(recoveries, 0U);
  for (std::size_t i = 1; i < heard.size(); ++i) ASSERT_GT(heard[i].event, heard[i - 1].event);
}

TEST_F(StreamTest, AChangeIsObeyedWithinItsReactionTime) {
  const auto one = stream();
  play(*one, 10);
  for (int i = 0; i < 20; ++i) {
    Settings changed = settings();
    changed.ensemble = {i % 2 == 0 ? 40 : 73};
    const Ticks10ms at = one->playhead();
    ASSERT_TRUE(one->change(changed));
    for (const StreamNote& note : play(*one, 2.7))
      if (note.note.onset >= at + Ticks10ms(26)) {
        EXPECT_EQ(note.note.instrument, i % 2 == 0 ? 40 : 73);
      }
  }
}

TEST_F(StreamTest, WhoNoLongerPlaysIsNotHeardInAnInstantThatHadNotEnded) {
  Settings chords{.ensemble = {0, 40}, .recover = false, .processors = {std::make_shared<Chords>()}};
  std::size_t stayed = 0;
  for (int ids = 0; ids < 15; ++ids) {
    chords.seed = static_cast<std::uint64_t>(ids);
    const auto one = stream(chords), same = stream(chords);
    while (one->notes().size() < 15) one->step();
    for (int i = 0; i < ids; ++i) one->step();
    const auto before = one->notes();
    run(*same);
    const auto unchanged = same->notes();
    one->pull(one->generated_to() - Ticks10ms(10));  // the reaction reaches beyond what there is
    Settings changed = chords;
    if (ids % 2 == 0)
      changed.ensemble = {40};
    else
      changed.pitch_ranges = {{.instrument = 0, .lowest = 127}};
    ASSERT_TRUE(one->change(changed));
    EXPECT_EQ(one->notes(), before);
    run(*one);
    const auto after = one->notes();
    ASSERT_GT(after.size(), before.size());
    EXPECT_EQ(after[15].note.onset, unchanged[15].note.onset);
    for (std::size_t i = before.size(); i < after.size(); ++i)
      EXPECT_TRUE(after[i].note.instrument == 40 || after[i].note.pitch == 127) << ids << " ids of a chord, note " << i;
    for (std::size_t i = 15; i < 20 && after[i] == unchanged[i]; ++i) ++stayed;
    ASSERT_TRUE(one->undo());
    run(*one);
    const auto undone = one->notes();
    EXPECT_TRUE(std::equal(unchanged.begin(), unchanged.begin() + 20, undone.begin())) << ids;
    ASSERT_TRUE(one->redo());
    EXPECT_EQ(one->notes(), after);
  }
  EXPECT_GT(stayed, 0U);
}

TEST_F(StreamTest, AChordThatAChangeCutInTwoIsPlayedWholeAfterAnUndo) {
  Settings chords{.ensemble = {0, 40}, .recover = false, .processors = {std::make_shared<Chords>()}};
  for (int ids = 0; ids < 15; ++ids) {
    chords.seed = static_cast<std::uint64_t>(ids);
    const auto one = stream(chords);
    NoteQueue queue(1024);
    Scheduler scheduler({.sample_rate = 8'000}, queue, one->controls());
    one->attach(queue, scheduler);
    std::vector<MidiMessage> messages(256);
    while (one->notes().size() < 15) one->step();
    for (int i = 0; i < ids; ++i) one->step();
    for (int i = 0; i < 1'000 && one->playhead() < one->generated_to(); ++i) scheduler.process(80, messages);
    const Ticks10ms dry = one->playhead();
    ASSERT_EQ(dry, one->generated_to());
    Settings changed = chords;
    changed.ensemble = {40};
    ASSERT_TRUE(one->change(changed));
    run(*one);
    one->controls().playing = false;
    scheduler.process(80, messages);
    ASSERT_EQ(one->playhead(), dry);
    ASSERT_TRUE(one->undo());
    run(*one);
    one->controls().playing = true;
    std::vector<std::pair<int, int>> struck, expected;
    while (scheduler.playhead() < dry + Ticks10ms(40)) {
      const std::size_t count = scheduler.process(80, messages);
      for (std::size_t i = 0; i < count; ++i)
        if ((messages[i].bytes[0] & 0xF0) == 0x90) struck.emplace_back(messages[i].instrument, messages[i].bytes[1]);
    }
    for (const StreamNote& note : one->notes())
      if (note.note.onset >= dry && note.note.onset < dry + Ticks10ms(40))
        expected.emplace_back(note.note.instrument, note.note.pitch);
    const auto each_once = [](auto& notes) {
      std::sort(notes.begin(), notes.end());
      notes.erase(std::unique(notes.begin(), notes.end()), notes.end());
    };
    each_once(struck), each_once(expected);
    EXPECT_EQ(struck, expected) << ids << " ids of a chord";
  }
}

TEST_F(StreamTest, AChangeIsHeardAsSoonAtEverySpeed) {
  for (const int speed : {250, 1000, 4000}) {
    const auto one = stream();
    one->controls().speed = speed;
    play(*one, 10);
    run(*one);
    const auto before = one->notes();
    Settings changed = settings();
    changed.ensemble = {40};
    ASSERT_TRUE(one->change(changed));
    run(*one);
    const Ticks10ms from = one->playhead() + Ticks10ms(25 * speed / 1000);
    const auto kept = [&](const StreamNote& note) { return note.note.onset < from; };
    const auto after = one->notes();
    EXPECT_EQ(std::count_if(after.begin(), after.end(), kept), std::count_if(before.begin(), before.end(), kept));
    for (const StreamNote& note : after)
      if (!kept(note)) {
        ASSERT_EQ(note.note.instrument, 40) << speed;
      }
  }
}

TEST_F(StreamTest, WhilePausedAChangeActsAtThePlayhead) {
  const auto one = stream();
  play(*one, 10);
  const auto before = one->notes();
  one->controls().playing = false;
  Settings changed = settings();
  changed.ensemble = {40};
  ASSERT_TRUE(one->change(changed));
  run(*one);
  for (const StreamNote& note : one->notes())
    if (note.note.onset >= one->playhead()) {
      EXPECT_EQ(note.note.instrument, 40);
    }
  ASSERT_TRUE(one->undo());
  EXPECT_EQ(one->notes(), before);
  ASSERT_TRUE(one->redo());
  one->controls().playing = true;
  for (const StreamNote& note : play(*one, 2)) EXPECT_EQ(note.note.instrument, 40);
}

TEST_F(StreamTest, WhileItsSchedulerIsPausedAChangeActsAtThePlayhead) {
  const auto one = stream();
  NoteQueue queue(1024);
  Scheduler scheduler({.sample_rate = 8'000}, queue, one->controls());
  one->attach(queue, scheduler);
  std::vector<MidiMessage> messages(256);
  const auto struck = [&](Ticks10ms until) {
    std::vector<int> instruments;
    while (scheduler.playhead() < until) {
      run(*one);
      const std::size_t count = scheduler.process(80, messages);
      for (std::size_t i = 0; i < count; ++i)
        if ((messages[i].bytes[0] & 0xF0) == 0x90) instruments.push_back(messages[i].instrument);
    }
    return instruments;
  };
  struck(Ticks10ms(500));
  one->controls().playing = false;
  scheduler.process(80, messages);
  Settings changed = settings();
  changed.ensemble = {40};
  ASSERT_TRUE(one->change(changed));
  one->controls().playing = true;
  EXPECT_THAT(struck(Ticks10ms(700)), testing::AllOf(testing::SizeIs(testing::Gt(5U)), testing::Each(40)));
}

TEST_F(StreamTest, RefusesSettingsThatMakeNoSenseAndChangesNothing) {
  const auto one = stream();
  play(*one, 3);
  Settings wrong = settings();
  wrong.ensemble = {400};
  const auto before = one->save();
  EXPECT_FALSE(one->change(wrong));
  EXPECT_EQ(one->save(), before);
  EXPECT_EQ(one->undo_steps(), 0U);
}

TEST_F(StreamTest, LiveControlsActOnWhatIsGeneratedAndRewindNothing) {
  const auto one = stream(), same = stream();
  play(*one, 5), play(*same, 5);
  one->controls().transpose = 2;
  one->controls().velocity = 50;
  one->controls().muted[33] = true;
  run(*one), run(*same);
  const auto changed = one->pull(one->playhead() + Ticks10ms(300)),
             plain = same->pull(same->playhead() + Ticks10ms(300));
  std::size_t i = 0;
  for (const StreamNote& note : plain) {
    if (note.note.instrument == 33) continue;
    ASSERT_LT(i, changed.size());
    EXPECT_EQ(changed[i].event, note.event);
    const bool drums = note.note.instrument == kDrums;
    const int expected = note.note.pitch + (drums ? 0 : 2);
    EXPECT_EQ(changed[i].note.pitch, expected <= 127 ? expected : expected - 12);
    EXPECT_EQ(changed[i].note.velocity, std::max(1, note.note.velocity / 2));
    ++i;
  }
  EXPECT_EQ(i, changed.size());
  EXPECT_EQ(one->notes(), same->notes());
}

TEST_F(StreamTest, PausesWithoutMovingOn) {
  const auto one = stream();
  play(*one, 2);
  one->controls().playing = false;
  EXPECT_TRUE(one->pull(one->playhead() + Ticks10ms(200)).empty());
  EXPECT_EQ(one->playhead(), Ticks10ms(200));
  one->controls().playing = true;
  EXPECT_FALSE(play(*one, 2).empty());
}

TEST_F(StreamTest, UndoAndRedoRestoreTheNotesExactly) {
  const auto one = stream();
  play(*one, 12);
  std::vector<std::vector<StreamNote>> versions{one->notes()};
  std::vector<Settings> chosen{one->settings()};
  for (int i = 0; i < 6; ++i) {
    if (i % 2 == 0) {
      Settings changed = one->settings();
      changed.temperature = 0.5 + i * 0.1;
      changed.ensemble = {i, 40};
      ASSERT_TRUE(one->change(changed));
    } else {
      ASSERT_TRUE(one->again());
    }
    play(*one, 1.5);  // less than the look-ahead: part of what each edit dropped was still to come
    versions.push_back(one->notes());
    chosen.push_back(one->settings());
  }
  EXPECT_EQ(one->undo_steps(), 6U);
  for (int i = 5; i >= 0; --i) {
    ASSERT_TRUE(one->undo());
    EXPECT_EQ(one->notes(), versions[static_cast<std::size_t>(i)]) << i;
    EXPECT_EQ(one->settings(), chosen[static_cast<std::size_t>(i)]);
  }
  EXPECT_FALSE(one->undo());
  for (std::size_t i = 1; i <= 6; ++i) {
    ASSERT_TRUE(one->redo());
    EXPECT_EQ(one->notes(), versions[i]) << i;
    EXPECT_EQ(one->settings(), chosen[i]);
  }
  EXPECT_FALSE(one->redo());
  // And the music goes on from there.
  const Ticks10ms from = one->playhead();
  EXPECT_FALSE(play(*one, 5).empty()) << from.count() << " to " << one->playhead().count() << " of "
                                      << one->generated_to().count() << ", " << one->notes().size() << " notes";
}

TEST_F(StreamTest, UndoAfterAlongTimeGoesBackToTheChange) {
  const auto one = stream();
  play(*one, 5);
  const auto before = one->notes();
  ASSERT_TRUE(one->again());
  play(*one, 20);
  ASSERT_TRUE(one->undo());
  EXPECT_EQ(one->notes(), before);
  EXPECT_LT(one->playhead(), Ticks10ms(530));
  EXPECT_GE(one->playhead(), Ticks10ms(500));
  const auto heard = play(*one, 3);
  ASSERT_FALSE(heard.empty());
  EXPECT_GE(heard.front().note.onset, Ticks10ms(500));
}

TEST_F(StreamTest, SeedsOfItsOwnAreExactAsDoubles) {
  const auto one = stream();
  const auto exact = [](std::uint64_t seed) { return seed < std::uint64_t{1} << 53; };
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(one->again());
    EXPECT_TRUE(exact(one->settings().seed));
  }
  one->start_takes(8, Seconds(1));
  for (const TakeInfo& take : one->takes()) EXPECT_TRUE(exact(take.seed));
}

TEST_F(StreamTest, AgainFromAnEarlierMomentGoesBackThere) {
  const auto one = stream();
  play(*one, 10);
  const auto before = one->notes();
  ASSERT_TRUE(one->again(Ticks10ms(400)));
  EXPECT_EQ(one->playhead(), Ticks10ms(400));
  play(*one, 6);
  const auto after = one->notes();
  const auto differs = std::mismatch(before.begin(), before.end(), after.begin(), after.end()).first;
  ASSERT_NE(differs, before.end());
  EXPECT_GE(differs->note.onset, Ticks10ms(400));
  ASSERT_TRUE(one->undo());
  EXPECT_EQ(one->notes(), before);
}

TEST_F(StreamTest, TakesAreMadeBesideTheMusicAndOneBecomesIt) {
  const auto one = stream(), same = stream();
  play(*one, 5), play(*same, 5);
  const auto ids = one->start_takes(3, Seconds(2));
  ASSERT_EQ(ids.size(), 3U);
  const auto during = play(*one, 1);
  EXPECT_EQ(during, play(*same, 1)) << "takes do not change what plays";
  run(*one);
  const auto takes = one->takes();
  ASSERT_EQ(takes.size(), 3U);
  for (const TakeInfo& take : takes) EXPECT_TRUE(take.complete) << take.id;
  EXPECT_NE(one->take_notes(ids[0]), one->take_notes(ids[1]));
  const auto before = one->notes();
  const auto chosen = one->take_notes(ids[1]);
  ASSERT_TRUE(one->accept_take(ids[1]));
  EXPECT_TRUE(one->takes().empty());
  run(*one);
  const auto after = one->notes();
  EXPECT_NE(std::search(after.begin(), after.end(), chosen.begin(), chosen.end()), after.end());
  EXPECT_EQ(one->settings().seed, takes[1].seed);
  ASSERT_TRUE(one->undo());
  const auto undone = one->notes();
  ASSERT_GE(undone.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), undone.begin()));
  EXPECT_FALSE(one->accept_take(99));
}

TEST_F(StreamTest, ATakeWhoseMusicDiesStillBranchesOffWhereItDid) {
  for (int events = 1; events < 7; ++events) {
    // A change would come behind all that there is: the take begins with the latest event's instant.
    const auto one = stream({.seed = 1, .processors = {std::make_shared<OneKey>()}}, {.reaction = Seconds(30)});
    while (static_cast<int>(one->notes().size()) < events) ASSERT_TRUE(one->step());
    const auto before = one->notes();
    const int take = one->start_takes(1, Seconds(30)).front();
    for (int steps = 0; steps < 600 && one->step(); ++steps) {
      const auto opened = Stream::open(one->save(), network_, std::make_shared<ComputePool>(1), nullptr);
      ASSERT_TRUE(opened) << events << ": " << opened.error().to_string();
    }
    ASSERT_TRUE(one->accept_take(take)) << events;
    const auto after = one->notes();
    ASSERT_GE(after.size(), before.size());
    EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin())) << events;
  }
}

TEST_F(StreamTest, ChangesThatComeFasterThanEventsDoNotHoldTheMusicUp) {
  const auto one = stream();
  NoteQueue queue(1024);
  Scheduler scheduler({.sample_rate = 8'000}, queue, one->controls());
  one->attach(queue, scheduler);
  std::vector<MidiMessage> messages(256);
  run(*one);
  Ticks10ms last = one->generated_to();
  for (int i = 0; i < 1'000; ++i) {  // ten seconds of a slider that changes every 10 ms, and four ids between
    Settings changed = settings();
    changed.temperature = 0.9 + i * 1e-4;
    ASSERT_TRUE(i == 0 ? one->change(changed) : one->amend(changed));
    for (int id = 0; id < 4; ++id) one->step();
    scheduler.process(80, messages);
    if (i % 100 == 99) {
      EXPECT_GT(one->playhead(), last - Ticks10ms(400)) << i;
      last = std::max(last, one->generated_to());
    }
  }
  EXPECT_GE(one->playhead(), Ticks10ms(900));
  EXPECT_EQ(one->undo_steps(), 1U);
}

TEST_F(StreamTest, AmendedChangesAreOneStepOfUndo) {
  const auto one = stream();
  play(*one, 5);
  const auto before = one->notes();
  Settings changed = settings();
  for (int i = 0; i < 5; ++i) {
    changed.temperature = 0.5 + 0.1 * i;
    ASSERT_TRUE(i == 0 ? one->change(changed) : one->amend(changed));
    play(*one, 0.4);
  }
  const auto after = one->notes();
  EXPECT_EQ(one->undo_steps(), 1U);
  ASSERT_TRUE(one->undo());
  EXPECT_EQ(one->notes(), before);
  EXPECT_EQ(one->settings(), settings());
  ASSERT_TRUE(one->redo());
  EXPECT_EQ(one->notes(), after);
  EXPECT_EQ(one->settings(), changed);
}

TEST_F(StreamTest, LeavesNoHoleWhenAChangeComesBeforeThereIsMusic) {
  const auto one = stream(settings(), {.reaction = Seconds(3)});
  while (one->notes().size() < 3) one->step();
  const Ticks10ms known = one->generated_to();
  ASSERT_LT(known, Ticks10ms(300));
  Settings changed = settings();
  changed.ensemble = {40};
  ASSERT_TRUE(one->change(changed));
  run(*one);
  const auto notes = one->notes();
  const auto next = std::find_if(notes.begin(), notes.end(), [](const auto& n) { return n.note.instrument == 40; });
  ASSERT_NE(next, notes.end());
  EXPECT_LT(next->note.onset, known + Ticks10ms(51));
}

// Random weights without ShortSteps play silence and nothing else: the music dies and is revived all the time.
TEST_F(StreamTest, UndoRestoresTheNotesExactlyWhileTheMusicDiesAndIsRevived) {
  std::uint32_t recoveries = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const auto one = stream({.seed = seed, .ensemble = {0, 33, 128}});
    play(*one, 60);
    std::vector<std::vector<StreamNote>> versions;
    for (int i = 0; i < 24; ++i) {
      const auto before = one->notes();
      switch ((i * 7 + static_cast<int>(seed)) % 5) {
        case 0: {
          Settings changed = one->settings();
          changed.ensemble = {i, 128};
          ASSERT_TRUE(one->change(changed));
          versions.push_back(before);
          break;
        }
        case 1:
          ASSERT_TRUE(one->again());
          versions.push_back(before);
          break;
        case 2: {
          const auto ids = one->start_takes(2, Seconds(10));
          play(*one, 4);
          const auto then = one->notes();
          ASSERT_TRUE(one->accept_take(ids[1]));
          versions.push_back(then);
          break;
        }
        case 3:
          ASSERT_TRUE(one->seek(Ticks10ms(one->playhead().count() / 2)));
          break;
        default:
          ASSERT_TRUE(one->again(Ticks10ms(one->playhead().count() / 3)));
          versions.push_back(before);
          break;
      }
      play(*one, 1.0 + i);
      recoveries += one->recovery_counts().recoveries;
    }
    ASSERT_EQ(one->undo_steps(), versions.size());
    for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
      ASSERT_TRUE(one->undo());
      ASSERT_EQ(one->notes(), *version) << version - versions.rbegin();
      run(*one);  // as a listener's worker would
    }
  }
  EXPECT_GT(recoveries, 100U);
}

TEST_F(StreamTest, SessionsOpenAsTheyWereSaved) {
  Settings chosen = settings();
  chosen.processors.clear();  // not saved
  const auto one = stream(chosen);
  play(*one, 300);  // without ShortSteps an event may be far from the next
  ASSERT_FALSE(one->notes().empty());
  one->start_takes(2, Seconds(1));
  run(*one);
  const std::vector<std::byte> prompt{std::byte{1}, std::byte{2}};
  const auto bytes = one->save(prompt);
  std::vector<std::byte> attachment;
  auto opened = Stream::open(bytes, network_, std::make_shared<ComputePool>(1), &attachment);
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_EQ(attachment, prompt);
  EXPECT_EQ((*opened)->notes(), one->notes());
  EXPECT_EQ((*opened)->playhead(), one->playhead());
  EXPECT_EQ((*opened)->takes().size(), 2U);
  EXPECT_EQ((*opened)->save(prompt), bytes);
  EXPECT_EQ(play(**opened, 300), play(*one, 300));
  for (std::size_t i = 0; i < bytes.size(); i += 1 + i / 7) {
    auto damaged = bytes;
    damaged[i] ^= std::byte{4};
    EXPECT_FALSE(Stream::open(damaged, network_, std::make_shared<ComputePool>(1))) << i;
    EXPECT_FALSE(Stream::open(std::span(bytes).first(i), network_, std::make_shared<ComputePool>(1))) << i;
  }
}

TEST_F(StreamTest, TheQueuePlaysWhatThePullWould) {
  const auto one = stream(), same = stream();
  NoteQueue queue(64);  // small: it fills up again and again
  Scheduler scheduler({.sample_rate = 8'000}, queue, one->controls());
  one->attach(queue, scheduler);
  std::vector<EventIndex> struck;
  std::vector<MidiMessage> messages(256);
  while (scheduler.playhead() < Ticks10ms(2'000)) {
    run(*one);
    const std::size_t count = scheduler.process(400, messages);
    for (std::size_t i = 0; i < count; ++i)
      if ((messages[i].bytes[0] & 0xF0) == 0x90) struck.push_back(messages[i].event);
  }
  std::vector<EventIndex> expected;
  for (const StreamNote& note : play(*same, 20)) expected.push_back(note.event);
  std::sort(struck.begin(), struck.end());
  EXPECT_EQ(scheduler.underruns(), 0U);
  EXPECT_EQ(scheduler.dropped(), 0U);
  // Two notes of one key on one sample sound as one: what was struck is a subset, and nearly all.
  EXPECT_TRUE(std::includes(expected.begin(), expected.end(), struck.begin(), struck.end()));
  EXPECT_GT(struck.size() * 10, expected.size() * 9);
}

TEST_F(StreamTest, AChangeTakesBackWhatTheSchedulerHolds) {
  const auto one = stream();
  NoteQueue queue(1024);
  Scheduler scheduler({.sample_rate = 8'000}, queue, one->controls());
  one->attach(queue, scheduler);
  std::vector<MidiMessage> messages(256);
  const auto play_to = [&](Ticks10ms end, int instrument, Ticks10ms from) {
    int heard = 0;
    while (scheduler.playhead() < end) {
      run(*one);
      const Ticks10ms before = scheduler.playhead();
      const std::size_t count = scheduler.process(80, messages);
      for (std::size_t i = 0; i < count; ++i) {
        if ((messages[i].bytes[0] & 0xF0) != 0x90 || before < from) continue;
        ++heard;
        EXPECT_EQ(messages[i].instrument, instrument) << before.count();
      }
    }
    return heard;
  };
  play_to(Ticks10ms(500), -1, Ticks10ms(10'000));
  for (int i = 0; i < 10; ++i) {
    Settings changed = settings();
    changed.ensemble = {i};
    const Ticks10ms at = scheduler.playhead();
    ASSERT_TRUE(one->change(changed));
    EXPECT_GT(play_to(at + Ticks10ms(150), i, at + Ticks10ms(26)), 0);
  }
  const auto before = one->notes();
  ASSERT_TRUE(one->undo());
  play_to(one->playhead() + Ticks10ms(100), 8, one->playhead() + Ticks10ms(26));
  EXPECT_EQ(scheduler.dropped(), 0U);
}

TEST_F(StreamTest, CompanyChangesNoNote) {
  const auto pool = std::make_shared<ComputePool>(2);
  StreamWorker worker;
  std::vector<std::shared_ptr<Stream>> streams;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const StreamOptions options{.look_ahead = Seconds(1 + 0.3 * static_cast<double>(seed))};
    streams.push_back(std::make_shared<Stream>(network_, pool, settings(seed), begin_piece(), options));
    worker.add(streams.back());
  }
  for (int second = 1; second <= 3; ++second) {
    while (worker.step()) {
    }
    for (const auto& each : streams) each->pull(Ticks10ms(100 * second));
  }
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto alone = stream(settings(seed), {.look_ahead = Seconds(10)});
    run(*alone);
    const auto expected = alone->notes(), got = streams[seed - 1]->notes();
    ASSERT_GT(got.size(), 3U);
    ASSERT_LE(got.size(), expected.size());
    EXPECT_TRUE(std::equal(got.begin(), got.end(), expected.begin())) << "seed " << seed;
  }
}

TEST_F(StreamTest, AWindowIsReadBesideTheMusicOfOthers) {
  std::vector<Note> prompt;
  for (int i = 0; i < 250; ++i)
    prompt.push_back({Ticks10ms(20 * i), Ticks10ms(20), 0, static_cast<std::uint8_t>(40 + i % 30)});
  const auto pool = std::make_shared<ComputePool>(1);
  const auto reading = std::make_shared<Stream>(network_, pool, settings(), continue_piece(prompt));
  const auto playing = std::make_shared<Stream>(network_, pool, settings(), begin_piece());
  StreamWorker worker;
  worker.add(reading);
  worker.add(playing);
  int steps = 0;
  for (; reading->notes(reading->first_event()).empty(); ++steps) ASSERT_TRUE(worker.step());
  EXPECT_GT(steps, 10);
  EXPECT_GE(playing->notes().size() + 1, static_cast<std::size_t>(steps) / 3 / 2) << "an event takes three steps";
}

TEST_F(StreamTest, ThreadedWorkerServesSeveralStreamsWhileTheyAreChanged) {
  StreamWorker worker;
  std::vector<std::shared_ptr<Stream>> streams;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    streams.push_back(stream(settings(seed)));
    worker.add(streams.back());
  }
  ASSERT_TRUE(worker.start());
  EXPECT_FALSE(worker.start());
  for (int round = 0; round < 60; ++round) {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      Stream& one = *streams[i];
      one.pull(one.playhead() + Ticks10ms(10));
      switch ((round + static_cast<int>(i) * 7) % 10) {
        case 0: {
          Settings changed = settings(static_cast<std::uint64_t>(round));
          changed.ensemble = {round % 128};
          EXPECT_TRUE(one.change(changed));
          break;
        }
        case 2:
          one.again();
          break;
        case 4:
          one.undo();
          break;
        case 5:
          one.redo();
          break;
        case 7:
          one.start_takes(2, Seconds(0.5));
          break;
        case 9:
          static_cast<void>(one.save());
          break;
        default:
          break;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  worker.remove(*streams[1]);
  const auto end = streams[1]->generated_to();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(streams[1]->generated_to(), end);
  worker.stop();
  EXPECT_GT(streams[0]->notes().size(), 0U);
}

TEST_F(StreamTest, ThreadedCancelEndsAStepWithin50Milliseconds) {
  // A network large enough that reading the prompt takes long.
  const RandomCheckpoint checkpoint(
      {.layers = 4, .heads = 8, .width = 512, .context = kContext, .vocabulary = kVocabulary}, 3);
  const std::shared_ptr<const Network> large = *Network::load(checkpoint, *available_kernels().front());
  std::vector<Note> notes;
  for (int i = 0; i < 330; ++i) notes.push_back({Ticks10ms(i), Ticks10ms(10), 0, static_cast<std::uint8_t>(i % 128)});
  Stream one(large, std::make_shared<ComputePool>(1), settings(), continue_piece(notes));
  std::thread worker([&] {
    while (one.step()) {
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  one.cancel(true);
  worker.join();  // does not hang: that it is quick is measured, not asserted
  EXPECT_FALSE(one.step());
  one.cancel(false);
  EXPECT_TRUE(one.step());
}

TEST(Velocity, IsMusicalSeededAndConstantOnRequest) {
  const auto event = [](TokenId onset, int instrument, int pitch, int duration = 20) {
    return Triplet{onset, kDurationBase + duration, kNoteBase + 128 * instrument + pitch};
  };
  const std::vector<Triplet> events{event(0, 0, 60),   event(10, 128, 36), event(10, 0, 60),
                                    event(10, 33, 40), event(20, 128, 42), event(30, 48, 60, 300)};
  const auto mean = [&](std::size_t i) {
    double sum = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) sum += velocity_of(events, i, i, {.seed = seed});
    return sum / 200;
  };
  EXPECT_GT(mean(1), mean(2));  // the bass drum leads
  EXPECT_GT(mean(2), mean(0));  // together is louder than alone
  EXPECT_LT(mean(4), mean(0));  // hi-hats step back
  EXPECT_LT(mean(5), mean(0));  // pads too
  EXPECT_EQ(velocity_of(events, 1, 1, {.seed = 9}), velocity_of(events, 1, 1, {.seed = 9}));
  EXPECT_EQ(velocity_of(events, 1, 1, {.constant = 99}), 99);
}

}  // namespace
}  // namespace midinf
