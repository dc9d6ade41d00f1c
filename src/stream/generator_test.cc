// The generator on logits that come from nowhere: what it promises must hold for any network.
#include "stream/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

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
  std::vector<Triplet> events;
  for (int i = 0; i < count; ++i) events.push_back(next_event(generator, source));
  return events;
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
  Generator generator({.seed = 3, .top_p = 0}, begin_piece());
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
  Generator a({.seed = 1, .temperature = 0}, begin_piece()), b({.seed = 2, .temperature = 0}, begin_piece());
  EXPECT_EQ(play(a, network, 50), play(b, network, 50));
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
