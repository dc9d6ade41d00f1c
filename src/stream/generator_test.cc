// The generator on logits that come from nowhere: what it promises must hold for any network.
#include "stream/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "stream/playable.h"
#include "stream/trouble.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

// Logits as a pure function of the last ids, so that equal contexts get equal answers. `shape` adds a preference.
class FakeNetwork {
 public:
  using Shape = std::function<float(TokenId id, std::span<const TokenId> context)>;
  explicit FakeNetwork(Shape shape = {}) : shape_(std::move(shape)) {}

  LogitSource source() {
    return [this](const LogitRequest& request) -> std::span<float> {
      EXPECT_LT(request.context.size(), 1024U);
      std::uint32_t state = 1;
      for (const TokenId id : request.context.last(std::min<std::size_t>(request.context.size(), 9)))
        state = state * 1664525U + static_cast<std::uint32_t>(id) + 1013904223U;
      logits_.clear();
      for (const RowRange& range : request.rows.ranges())
        for (TokenId id = range.begin; id < range.end; ++id) {
          state = state * 1664525U + 1013904223U;
          logits_.push_back(static_cast<float>(state >> 8) * 0x1p-20F + (shape_ ? shape_(id, request.context) : 0.0F));
        }
      return logits_;
    };
  }

 private:
  Shape shape_;
  std::vector<float> logits_;
};

// Prefers the onsets in [from, to) steps after the last event of the context.
FakeNetwork::Shape steps_between(int from, int to) {
  return [from, to](TokenId id, std::span<const TokenId> context) {
    if (id >= kMaxOnset) return 0.0F;
    const TokenId last =
        context.size() >= 4 && context[context.size() - 3] < kMaxOnset ? context[context.size() - 3] : 0;
    return id - last >= from && id - last < to ? 40.0F : 0.0F;
  };
}

std::vector<Triplet> play(Generator& generator, FakeNetwork& network, int count) {
  const LogitSource source = network.source();
  const EventIndex begin = generator.end_index();
  while (generator.end_index() < begin + static_cast<EventIndex>(count)) next_event(generator, source);
  const auto played = generator.history().last(static_cast<std::size_t>(count));
  return {played.begin(), played.end()};
}

TEST(Generator, SameSeedSameMusicAnotherSeedAnother) {
  FakeNetwork network;
  Generator a({.seed = 5}, begin_piece()), b({.seed = 5}, begin_piece()), c({.seed = 6}, begin_piece());
  const auto first = play(a, network, 200);
  EXPECT_EQ(play(b, network, 200), first);
  EXPECT_NE(play(c, network, 200), first);
}

TEST(Generator, EveryEventIsValidForEver) {
  FakeNetwork network(steps_between(0, 30));
  Generator generator({.seed = 1}, begin_piece());
  Ticks10ms before(0);
  for (const Triplet& event : play(generator, network, 2'000)) {
    ASSERT_TRUE(is_well_formed(event));
    ASSERT_TRUE(is_note(event) || is_rest(event));
    ASSERT_GE(onset_of(event), before);
    before = onset_of(event);
  }
  EXPECT_GT(generator.slides(), 8U);
}

TEST(Generator, SparseMusicCrossesTheOnsetRangeWithoutLosingTime) {
  FakeNetwork network(steps_between(95, 105));  // about a second between events: 100 s hold only 100 of them
  Generator generator({.seed = 2, .top_p = 0.5}, begin_piece());
  std::int64_t before = 0;
  for (const Triplet& event : play(generator, network, 1'500)) {
    ASSERT_NEAR(static_cast<double>(event.onset - before), 99.5, 5.5);
    before = event.onset;
  }
  EXPECT_GT(before, 14 * kMaxOnset);
}

TEST(Generator, ARestPassesTimeInTheStreamAsInTheModel) {
  FakeNetwork network([](TokenId id, std::span<const TokenId> context) {
    const float step = steps_between(99, 100)(id, context);
    return step + (id == kRest ? 40.0F : 0.0F);
  });
  Generator generator({.seed = 3, .top_p = 0, .recover = false}, begin_piece());
  const auto events = play(generator, network, 400);
  EXPECT_TRUE(std::all_of(events.begin(), events.end(), is_rest));
  const LogitRequest next = generator.request();
  const TokenId last_model_onset = next.context[next.context.size() - 3];
  EXPECT_EQ(next.rows.ranges().front().begin, last_model_onset) << "the grammar's earliest onset is the last event's";
  EXPECT_EQ(generator.now(), onset_of(events.back()));
  EXPECT_EQ(events.back().onset - events.front().onset, 399 * 99);
}

TEST(Generator, TheMiddleOfAPieceBeginsAtOnceWithNothingButTheFlag) {
  FakeNetwork network(steps_between(5, 20));
  Generator generator({.seed = 6}, begin_middle());
  EXPECT_EQ(std::vector(generator.request().context.begin(), generator.request().context.end()),
            std::vector<TokenId>{kAutoregress});
  const auto events = play(generator, network, 500);
  EXPECT_EQ(events[0].onset, 0);
  EXPECT_GT(events[1].onset, 0);
}

TEST(Generator, OnlyTheEnsemblePlays) {
  FakeNetwork network(steps_between(0, 20));
  Generator generator({.seed = 4, .ensemble = {40, 128}}, begin_piece());
  for (const Triplet& event : play(generator, network, 500)) {
    if (is_note(event)) {
      ASSERT_THAT(instrument_of(event), testing::AnyOf(40, 128));
    }
  }
}

TEST(Generator, TemperatureZeroDoesNotDependOnTheSeed) {
  FakeNetwork network;
  Settings greedy{.temperature = 0, .recover = false};
  Generator a(greedy, begin_piece());
  greedy.seed = 2;
  Generator b(greedy, begin_piece());
  EXPECT_EQ(play(a, network, 50), play(b, network, 50));
}

// Music in bursts that often dies: silences of nine seconds, bars for ever.
FakeNetwork::Shape moody() {
  return [](TokenId id, std::span<const TokenId> context) {
    const auto mood = (context.size() / 120) % 4;
    if (mood == 1) return steps_between(950, 990)(id, context);
    if (mood == 2) return steps_between(24, 26)(id, context) + (id == kNoteBase + 40 || id == kRest ? 60.0F : 0.0F);
    return steps_between(0, 40)(id, context);
  };
}

std::vector<Triplet> copy_of(const Generator& generator) {
  return {generator.history().begin(), generator.history().end()};
}

// Plays on until as many events stand as before.
void play_to(Generator& generator, FakeNetwork& network, EventIndex end) {
  const LogitSource source = network.source();
  while (generator.end_index() < end) next_event(generator, source);
}

TEST(Rewind, WithNothingChangedReproducesWhatItDiscardedAcrossWindowsAndRecoveries) {
  FakeNetwork network(moody());
  const Settings settings{.seed = 11, .ensemble = {0, 40}};
  Generator generator(settings, begin_piece());
  play(generator, network, 700);
  const auto original = copy_of(generator);
  const RecoveryCounts counts = generator.recovery_counts();
  EXPECT_GT(counts.recoveries, 0U);
  EXPECT_GE(generator.slides(), 3U);
  const EventIndex end = generator.end_index();
  std::mt19937 random(5);
  for (int i = 0; i < 8; ++i) {
    const EventIndex at = i == 0 ? generator.prompt_end() : random() % end;
    ASSERT_TRUE(generator.rewind(at));
    ASSERT_EQ(generator.end_index(), at);
    if (at < 1) {  // the prompt itself is gone: put it back
      generator = Generator(settings, begin_piece());
    }
    play_to(generator, network, end);
    ASSERT_EQ(copy_of(generator), original) << "rewound to " << at;
    ASSERT_EQ(generator.recovery_counts(), counts);
  }
}

TEST(Rewind, InTheMiddleOfAnEventDrawsThatEventAgain) {
  FakeNetwork network;
  Generator generator({.seed = 1}, begin_piece()), same = generator;
  const LogitSource source = network.source();
  play(same, network, 6);
  play(generator, network, 5);
  generator.accept(source(generator.request()));
  ASSERT_TRUE(generator.rewind(generator.end_index()));
  play(generator, network, 1);
  EXPECT_EQ(copy_of(generator), copy_of(same));
}

TEST(Rewind, RefusesWhatIsNoLongerOrNotYetThere) {
  std::vector<Triplet> long_past(1'000'000, Triplet{0, kDurationBase + 1, kNoteBase});
  for (std::size_t i = 0; i < long_past.size(); ++i) long_past[i].onset = static_cast<TokenId>(i);
  FakeNetwork network(steps_between(1, 5));
  Generator generator({.seed = 1}, {long_past, Ticks10ms(999'999)});
  play(generator, network, 500);
  EXPECT_GT(generator.first_index(), 100'000U);
  EXPECT_FALSE(generator.rewind(0));
  EXPECT_FALSE(generator.rewind(generator.first_index() - 1));
  EXPECT_FALSE(generator.rewind(generator.end_index() + 1));
  const auto before = copy_of(generator);
  const EventIndex end = generator.end_index();
  ASSERT_TRUE(generator.rewind(end - 450));
  play_to(generator, network, end);
  EXPECT_EQ(copy_of(generator), before);
}

TEST(Rewind, CanForbidWhatHasAlreadyBeenHeard) {
  FakeNetwork network(steps_between(0, 40));
  Generator generator({.seed = 3}, begin_piece());
  play(generator, network, 100);
  const Ticks10ms limit = onset_of(generator.history()[60]) + Ticks10ms(1);
  ASSERT_TRUE(generator.cut(generator.index_at(limit), limit));
  const EventIndex at = generator.end_index();
  for (const Triplet& event : play(generator, network, 60)) EXPECT_GE(onset_of(event), limit);
  const auto once = copy_of(generator);
  ASSERT_TRUE(generator.rewind(at + 3));
  play(generator, network, 57);
  EXPECT_EQ(copy_of(generator), once) << "the limit is part of what a rewind restores";
  ASSERT_TRUE(generator.rewind(at));
  play(generator, network, 60);
  EXPECT_EQ(copy_of(generator), once);
}

TEST(Tail, PutBackMakesTheGeneratorWhatItWas) {
  FakeNetwork network(moody());
  for (const int length : {0, 3, 200, 500}) {
    Generator generator({.seed = 21, .ensemble = {0, 40}}, begin_piece());
    play(generator, network, 550);
    const auto saved = generator.save();
    Generator untouched = generator;
    const EventIndex at = generator.end_index() - static_cast<EventIndex>(length);
    const Ticks10ms floor = generator.now() + Ticks10ms(5);
    auto tail = generator.cut(at, floor);
    ASSERT_TRUE(tail);
    generator.set_heard(floor);  // as a stream does: no recovery goes back over the cut
    play(generator, network, 120);
    generator.set_heard(Ticks10ms(0));
    ASSERT_TRUE(generator.paste(std::move(*tail)));
    EXPECT_EQ(generator.save(), saved);
    EXPECT_EQ(play(generator, network, 50), play(untouched, network, 50));
  }
}

TEST(Saved, GeneratorsGoOnAsIfNothingHadHappened) {
  FakeNetwork network(moody());
  Generator generator({.seed = 77, .temperature = 0.9, .ensemble = {0, 40, 128}}, begin_piece());
  play(generator, network, 500);
  generator.accept(network.source()(generator.request()));  // an event half drawn
  auto restored = Generator::restore(generator.save());
  ASSERT_TRUE(restored) << restored.error().to_string();
  EXPECT_EQ(restored->settings(), generator.settings());
  EXPECT_EQ(play(*restored, network, 400), play(generator, network, 400));
  EXPECT_EQ(restored->save(), generator.save());
}

TEST(Saved, DamagedGeneratorsAreRefused) {
  FakeNetwork network;
  Generator generator({.seed = 1}, begin_piece());
  play(generator, network, 20);
  const auto bytes = generator.save();
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    EXPECT_FALSE(Generator::restore(std::span(bytes).first(cut))) << cut;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i] ^= std::byte{0x10};
    const auto result = Generator::restore(damaged);
    ASSERT_FALSE(result) << i;
    EXPECT_FALSE(result.error().message.empty());
  }
}

TEST(Saved, SeparatorsBehindTheFirstEventAreRefused) {
  const Triplet early{0, kDurationBase + 10, kNoteBase + 60}, late{60'000, kDurationBase + 10, kNoteBase + 60};
  for (const auto& events : {std::vector{early, late, kSeparatorTriplet}, {early, kSeparatorTriplet, late}})
    EXPECT_FALSE(Generator::restore(Generator({.seed = 1}, {events, Ticks10ms(0)}).save()));
  EXPECT_TRUE(Generator::restore(Generator({.seed = 1}, {{kSeparatorTriplet, early, late}, Ticks10ms(0)}).save()));
}

TEST(Fork, GoesOnByItselfAndKnowsWhatTheNetworkSees) {
  FakeNetwork network(steps_between(0, 40));
  Generator generator({.seed = 4, .ensemble = {0, 40}}, begin_piece());
  play(generator, network, 1'500);
  const auto original = copy_of(generator);
  EXPECT_FALSE(generator.fork(1'502, Ticks10ms(0), 4));
  Generator same = *generator.fork(1'301, Ticks10ms(0), 4), other = *generator.fork(1'301, Ticks10ms(0), 5);
  EXPECT_LE(same.history().size(), 1'024U + 341U);
  EXPECT_EQ(play(same, network, 200), std::vector<Triplet>(original.begin() + 1'301, original.end()));
  EXPECT_NE(play(other, network, 200), std::vector<Triplet>(original.begin() + 1'301, original.end()));
  EXPECT_EQ(copy_of(generator), original);
}

TEST(Upcoming, ContextIsHowTheNextWindowBegins) {
  FakeNetwork network(steps_between(0, 20));
  Generator generator({.seed = 4}, begin_piece());
  play(generator, network, 340);
  const auto early = generator.upcoming_context();
  EXPECT_EQ(early.size(), 1 + 3 * 170U);
  play(generator, network, 1);
  const auto context = generator.request().context;
  ASSERT_EQ(generator.slides(), 1U);
  EXPECT_TRUE(std::equal(early.begin(), early.end(), context.begin()));
}

TEST(Recovery, LeavesSilenceLoopsAndCrowdsAndCountsThem) {
  struct Case {
    Trouble trouble;
    FakeNetwork::Shape shape;
  };
  const Case cases[] = {
      {Trouble::kSilence,
       [](TokenId id, auto context) { return steps_between(95, 100)(id, context) + (id == kRest ? 60 : 0); }},
      {Trouble::kLoop,
       [](TokenId id, auto context) { return steps_between(25, 26)(id, context) + (id == kNoteBase + 60 ? 20 : 0); }},
      {Trouble::kCrowd, steps_between(0, 1)}};
  for (const Case& dead : cases) {
    // Dead for a while: as long as the history is between 100 and 300 events.
    FakeNetwork network([&](TokenId id, std::span<const TokenId> context) {
      return context.size() > 300 && context.size() < 900 ? dead.shape(id, context) : steps_between(3, 40)(id, context);
    });
    Generator generator({.seed = 8, .ensemble = {0, 40}}, begin_piece());
    play(generator, network, 330);
    EXPECT_GT(generator.recovery_counts().recoveries, 0U) << trouble_name(dead.trouble);
    EXPECT_EQ(generator.recovery_counts().last, dead.trouble) << trouble_name(generator.recovery_counts().last);
    Generator left({.seed = 8, .ensemble = {0, 40}, .recover = false}, begin_piece());
    play(left, network, 330);
    EXPECT_EQ(left.recovery_counts(), RecoveryCounts{});
  }
}

TEST(Playable, OnlyNetworksThatReadAWindow) {
  Gpt2Config config{.context = kContext, .vocabulary = kVocabulary};
  EXPECT_TRUE(check_playable(config));
  config.context = kContext - 1;
  EXPECT_THAT(check_playable(config).error().message, testing::HasSubstr("reads 1023 ids at once; 1024 are needed"));
  config = {.context = kContext, .vocabulary = 50'257};
  EXPECT_THAT(check_playable(config).error().message, testing::HasSubstr("only models of that vocabulary can play"));
}

TEST(Recovery, SilenceIsFoundHoweverItIsWritten) {
  const auto rest = [](TokenId onset) { return Triplet{onset, kDurationBase, kRest}; };
  const auto note = [](TokenId onset, TokenId duration) { return Triplet{onset, kDurationBase + duration, kNoteBase}; };
  const auto found = [](std::vector<Triplet> history, int origin = 0) {
    const FoundTrouble trouble = find_trouble(history, Ticks10ms(origin), history.size());
    return std::pair(trouble.kind, trouble.begin);
  };
  const std::pair none(Trouble::kNone, std::size_t{0});
  const auto silent_from = [](std::size_t begin) { return std::pair(Trouble::kSilence, begin); };
  const Triplet start = kSeparatorTriplet;
  EXPECT_EQ(found({start, note(0, 50), note(850, 1)}), none);
  EXPECT_EQ(found({start, note(0, 50), note(851, 1)}), silent_from(2));
  EXPECT_EQ(found({start, note(0, 50), note(2'900, 1)}), silent_from(2)) << "one step of half a minute";
  EXPECT_EQ(found({start, note(0, 50), rest(2'900)}), silent_from(2));
  EXPECT_EQ(found({start, note(0, 50), rest(100), rest(200), note(2'900, 1)}), silent_from(2));
  EXPECT_EQ(found({start, note(0, 900), note(40, 10), rest(800), note(1'700, 1)}), none) << "a held note";
  EXPECT_EQ(found({start, note(0, 900), note(40, 10), rest(800), note(1'701, 1)}), silent_from(3));
  EXPECT_EQ(found({start, note(900, 1)}), silent_from(1)) << "before the first note of all";
  EXPECT_EQ(found({start, rest(700), rest(1'000)}), silent_from(1));
  EXPECT_EQ(found({start, note(1'000, 1)}, 900), none) << "music that begins late";
}

TEST(Recovery, GivesUpAfterThreeAttemptsAndGoesOn) {
  FakeNetwork network(steps_between(0, 1));
  Generator generator({.seed = 8}, begin_piece());
  // The changed sampling moves on, but behind what it covers the same crowd gathers again.
  const LogitSource source = network.source();
  int recoveries = 0;
  for (int i = 0; i < 3'000 && generator.recovery_counts().given_up == 0; ++i)
    recoveries += next_event(generator, source) == Step::kRecovery ? 1 : 0;
  EXPECT_EQ(recoveries, kMostAttempts);
  EXPECT_EQ(generator.recovery_counts().recoveries, static_cast<unsigned>(kMostAttempts));
  ASSERT_EQ(generator.recovery_counts().given_up, 1U);
  // Then it is left alone for a window's length, and watched again.
  const EventIndex given_up_at = generator.end_index();
  while (generator.recovery_counts().recoveries == static_cast<unsigned>(kMostAttempts)) {
    next_event(generator, source);
    ASSERT_LT(generator.end_index(), given_up_at + 700);
  }
  EXPECT_GE(generator.end_index(), given_up_at) << "what was given up stays";
}

TEST(Recovery, OfSilenceThatIsAllAProcessorAllowsEndsInGivingUpAndIsTriedAgainSoon) {
  class OnlyRests : public LogitProcessor {
   public:
    void narrow(const StepContext& context, RowRanges& allowed) const override {
      if (context.slot == Slot::kNote) allowed.remove({0, kRest}), allowed.remove({kRest + 1, kVocabulary});
    }
  };
  FakeNetwork network(steps_between(50, 90));
  Generator generator({.seed = 3, .processors = {std::make_shared<OnlyRests>()}}, begin_piece());
  const LogitSource source = network.source();
  std::vector<Ticks10ms> given_up;
  for (int i = 0; i < 3'000; ++i) {
    next_event(generator, source);
    if (generator.recovery_counts().given_up > given_up.size()) given_up.push_back(generator.now());
  }
  ASSERT_GT(given_up.size(), 10U);
  EXPECT_GT(generator.now(), Ticks10ms(10'000)) << "time passes though the music is dead";
  // Sixteen seconds are left alone; it takes one attempt to see that they are no better than before.
  for (std::size_t i = 1; i < given_up.size(); ++i) {
    EXPECT_GT(given_up[i] - given_up[i - 1], Ticks10ms(800)) << i;
    EXPECT_LT(given_up[i] - given_up[i - 1], Ticks10ms(3'600)) << i;
  }
}

TEST(Recovery, OfTwoCrowdsThatTakeTurnsEnds) {
  // Revived, the music moves on for a moment, and one crowd or the other gathers again.
  FakeNetwork network([](TokenId id, std::span<const TokenId> context) {
    const bool moves = context.size() % 97 < 3;
    return moves ? steps_between(20, 40)(id, context) : steps_between(0, 1)(id, context);
  });
  Generator generator({.seed = 5, .ensemble = {0, 40}}, begin_piece());
  const LogitSource source = network.source();
  int steps = 0;
  while (generator.end_index() < 4'000 && steps < 100'000) next_event(generator, source), ++steps;
  EXPECT_GE(generator.end_index(), 4'000U);
  EXPECT_GT(generator.recovery_counts().given_up, 0U);
}

TEST(Recovery, EndsWhateverTheMusicDoes) {
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    // The mood changes every few events, from one way to die to another.
    FakeNetwork network([seed](TokenId id, std::span<const TokenId> context) {
      const std::uint32_t passage = static_cast<std::uint32_t>(context.size() / (30 + 20 * seed));
      switch ((passage * 2654435761U + seed * 40503U) >> 7 & 3U) {
        case 0:
          return steps_between(0, 1)(id, context);
        case 1:
          return steps_between(300, 990)(id, context) + (id == kRest ? 60.0F : 0.0F);
        case 2:
          return steps_between(24, 25)(id, context) + (id == kNoteBase + 40 ? 60.0F : 0.0F);
        default:
          return steps_between(0, 40)(id, context);
      }
    });
    Generator generator({.seed = seed, .ensemble = {0, 40}}, begin_piece());
    const LogitSource source = network.source();
    int steps = 0;
    while (generator.end_index() < 1'000 && ++steps < 20'000) next_event(generator, source);
    EXPECT_GE(generator.end_index(), 1'000U) << seed;
  }
}

TEST(Recovery, LeavesWhatIsKept) {
  FakeNetwork network(moody());
  Generator generator({.seed = 2, .ensemble = {0, 40}}, begin_piece());
  play(generator, network, 100);
  const auto kept = copy_of(generator);
  generator.set_heard(Ticks10ms(0), kept.size());
  play_to(generator, network, 1'500);
  EXPECT_GT(generator.recovery_counts().recoveries, 0U);
  EXPECT_TRUE(std::equal(kept.begin(), kept.end(), generator.history().begin()));
}

TEST(Cut, LetsTheNextNoteBeginNoLaterThanTheOldOneWouldHave) {
  for (const auto& [from, to] : {std::pair(5, 8), std::pair(120, 160), std::pair(400, 500)}) {
    // What follows would wait for long, or begin with a rest.
    FakeNetwork before(steps_between(from, to)), after([](TokenId id, std::span<const TokenId> context) {
      return steps_between(600, 700)(id, context) + (id == kRest ? 60.0F : 0.0F);
    });
    Generator generator({.seed = 6, .recover = false}, begin_piece());
    play(generator, before, 60);
    const Ticks10ms now = onset_of(generator.history()[40]) + Ticks10ms(1);
    const auto tail = generator.cut(generator.index_at(now), now);
    ASSERT_TRUE(tail);
    const auto old =
        std::find_if(tail->events.begin(), tail->events.end(), [](const Triplet& event) { return is_note(event); });
    ASSERT_NE(old, tail->events.end());
    const Triplet next = play(generator, after, 1).front();
    EXPECT_TRUE(is_note(next));
    EXPECT_GE(onset_of(next), now);
    EXPECT_LE(onset_of(next), std::min(onset_of(*old), now + Ticks10ms(50)));
    EXPECT_FALSE(is_note(play(generator, after, 1).front())) << "only that one";
  }
}

TEST(Recovery, NeverTakesBackWhatHasBeenHeard) {
  FakeNetwork network(moody());
  Generator generator({.seed = 2}, begin_piece());
  const LogitSource source = network.source();
  std::vector<Triplet> heard;
  for (int i = 0; i < 1'500; ++i) {
    next_event(generator, source);
    const Ticks10ms playhead = generator.now() - Ticks10ms(200);
    generator.set_heard(playhead);
    for (EventIndex e = heard.size(); e < generator.index_at(playhead); ++e) heard.push_back(generator.history()[e]);
    ASSERT_TRUE(std::equal(heard.begin(), heard.end(), generator.history().begin()));
  }
  EXPECT_GT(generator.recovery_counts().recoveries, 0U);
}

TEST(Prompt, IsPaddedWithRestsAndKept) {
  const std::vector<Note> notes{{Ticks10ms(1'000), Ticks10ms(20), 3, 60},
                                {Ticks10ms(500), Ticks10ms(10), 128, 36},
                                {Ticks10ms(1'010), Ticks10ms(2'000), 3, 64}};
  const Prompt prompt = continue_piece(notes);
  EXPECT_EQ(prompt.start, Ticks10ms(1'010));
  ASSERT_EQ(prompt.events.size(), 1 + 3 + 4U);  // a separator, the notes, RESTs at 600, 700, 800, 900; none before 500
  EXPECT_EQ(prompt.events.front(), kSeparatorTriplet);
  EXPECT_EQ(prompt.events[1].onset, 500);
  for (std::size_t i = 2; i < 6; ++i) {
    EXPECT_TRUE(is_rest(prompt.events[i]));
    EXPECT_EQ(prompt.events[i].onset, 500 + 100 * static_cast<TokenId>(i - 1));
  }
  FakeNetwork network;
  Generator generator({.seed = 1}, prompt);
  for (const Triplet& event : play(generator, network, 50)) EXPECT_GE(event.onset, 1'010);
  EXPECT_TRUE(std::equal(prompt.events.begin(), prompt.events.end(), generator.history().begin()));
}

TEST(Prompt, OfAnyLengthAndSpanFits) {
  for (const int step : {0, 1, 100, 5'000}) {
    std::vector<Note> notes;
    for (int i = 0; i < 700; ++i)
      notes.push_back({Ticks10ms(i * step), Ticks10ms(10), 0, static_cast<std::uint8_t>(i % 128)});
    FakeNetwork network;
    Generator generator({.seed = 1}, continue_piece(notes));
    for (const Triplet& event : play(generator, network, 200)) ASSERT_GE(event.onset, 699 * step);
  }
}

TEST(Generator, HistoryStopsGrowingAtAMillionEvents) {
  std::vector<Triplet> long_past(999'990, Triplet{0, kDurationBase + 1, kNoteBase});
  for (std::size_t i = 0; i < long_past.size(); ++i) long_past[i].onset = static_cast<TokenId>(i);
  FakeNetwork network(steps_between(1, 5));
  Generator generator({.seed = 1}, {long_past, Ticks10ms(999'989)});
  Generator same({.seed = 1}, {{long_past.end() - 5'000, long_past.end()}, Ticks10ms(999'989)});
  EXPECT_EQ(play(generator, network, 500), play(same, network, 500)) << "what was dropped was out of sight";
  EXPECT_LE(generator.history().size(), 1'000'000U);
  EXPECT_GE(generator.history().size(), 800'000U);
}

}  // namespace
}  // namespace midinf
