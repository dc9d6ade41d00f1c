// What is guessed, and that music is the same with guesses and without.
#include "stream/guess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "model/forward.h"
#include "model/random_checkpoint.h"
#include "stream/generator.h"
#include "tokens/triplets.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

Triplet event(int onset, int duration, int pitch) {
  return {kOnsetBase + onset, kDurationBase + duration, kNoteBase + pitch};
}
std::vector<TokenId> guessed(std::span<const Triplet> history, Slot slot = Slot::kOnset, Triplet drawn = {},
                             Ticks10ms origin = {}) {
  Guesser guesser;
  guesser.guess(history, origin, slot, drawn);
  std::vector<TokenId> ids;
  float before = 1;
  for (const Guess& each : guesser.guesses()) {
    EXPECT_LE(each.chance, before);
    EXPECT_GT(each.chance, 0);
    before = each.chance;
    ids.push_back(each.id);
  }
  return ids;
}

// A bar of four beats with a chord on the first.
std::vector<Triplet> bars(int count, int start = 0) {
  std::vector<Triplet> events{kSeparatorTriplet};
  for (int bar = 0; bar < count; ++bar)
    for (const auto& [at, pitch] : {std::pair{0, 60}, {0, 64}, {0, 67}, {50, 40}, {100, 41}, {150, 42}})
      events.push_back(event(start + 200 * bar + at, 20 + pitch, pitch));
  return events;
}

TEST(Guess, MusicGoesOnAsItWentWhenItWasTheSame) {
  const auto all = bars(4, 1'000);
  const Ticks10ms origin(1'000);
  for (std::size_t n = 14; n < all.size(); ++n) {
    const Triplet next = all[n];
    const TokenId onset = next.onset - 1'000;
    const auto before = std::span(all).first(n);
    const auto whole = guessed(before, Slot::kOnset, {}, origin);
    ASSERT_GE(whole.size(), 3U) << n;
    EXPECT_THAT(std::span(whole).first(3), testing::ElementsAre(onset, next.duration, next.note)) << n;
    const auto rest = guessed(before, Slot::kDuration, {.onset = onset}, origin);
    ASSERT_GE(rest.size(), 2U) << n;
    EXPECT_THAT(std::span(rest).first(2), testing::ElementsAre(next.duration, next.note)) << n;
    EXPECT_EQ(guessed(before, Slot::kNote, {onset, next.duration, 0}, origin).front(), next.note) << n;
  }
}

TEST(Guess, AfterWhatWasNotThereBeforeOnlyLittleIsSaid) {
  const auto all = bars(1);
  EXPECT_LT(guessed(all).size(), 3U);
  EXPECT_THAT(guessed({}), testing::IsEmpty());
  EXPECT_THAT(guessed(std::vector{kSeparatorTriplet}), testing::IsEmpty());
  EXPECT_THAT(guessed(std::vector{kSeparatorTriplet}, Slot::kNote, {5, kDurationBase + 3, 0}), testing::IsEmpty());
  EXPECT_THAT(guessed(std::vector{event(3, 4, 5)}), testing::IsEmpty());
}

TEST(Guess, NothingIsGuessedBeyondTheWindow) {
  std::vector<Triplet> rare{event(0, 20, 60), event(4'000, 20, 60), event(8'000, 20, 60)};
  EXPECT_THAT(guessed(rare), testing::IsEmpty());
  EXPECT_THAT(guessed(rare, Slot::kOnset, {}, Ticks10ms(4'000)).front(), kOnsetBase + 8'000);
}

TEST(Guess, EveryGuessIsAnIdOfItsSlot) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<Triplet> events;
    int onset = 0;
    for (auto i = random() % 60; i > 0; --i) {
      onset += static_cast<int>(random() % 3) * 50;
      events.push_back(random() % 20 == 0
                           ? kSeparatorTriplet
                           : event(onset, static_cast<int>(random() % 3), static_cast<int>(random() % 3)));
    }
    SCOPED_TRACE(round);
    const auto slot = static_cast<std::size_t>(random() % 3);
    const auto ids = guessed(events, static_cast<Slot>(slot), {onset, kDurationBase, 0});
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const RowRange rows[] = {kOnsetRows, kDurationRows, {kNoteBase, kControlBase}};
      EXPECT_GE(ids[i], rows[(slot + i) % 3].begin);
      EXPECT_LT(ids[i], rows[(slot + i) % 3].end);
    }
  }
}

// Quantised, so that the best kernels guess; small, but with the whole vocabulary. Sharp, so that music repeats itself.
TEST(Guess, MusicIsTheSameWithGuessesAndWithout) {
  RandomCheckpoint checkpoint({.layers = 1, .heads = 1, .width = 32, .context = 1024, .vocabulary = kVocabulary}, 1);
  checkpoint.quantize(DType::kQ8_0);
  const auto network = *Network::load(checkpoint, **select_kernels());
  const auto pool = std::make_shared<ComputePool>(2);
  for (const double temperature : {0.0, 1.0}) {
    std::vector<Triplet> music[2];
    int right = 0, rewinds = 0;
    for (const bool guesses : {false, true}) {
      Generator generator({.seed = 3, .temperature = temperature, .recover = false}, begin_piece());
      Decoder decoder(network, pool);
      while (generator.generated() < 400) {
        next_event(generator, [&](const LogitRequest& request) {
          right += decoder.read_towards(request.context, 0) == 0 ? 1 : 0;
          return decoder.logits(request.context, request.rows, guesses ? request.guesses : std::span<const Guess>{});
        });
        // A change of mind, and a copy that goes on, now and then.
        if (generator.end_index() % 97 == 0 && ++rewinds % 2 == 0) generator.rewind(generator.end_index() - 20);
        if (generator.end_index() % 31 == 0) decoder = Decoder(decoder);
      }
      const auto history = generator.history();
      music[guesses ? 1 : 0].assign(history.begin(), history.end());
    }
    EXPECT_EQ(music[0], music[1]);
    if (temperature < 1 && network->kernels().one_more < 1) {
      EXPECT_GT(right, 100);
    }
  }
}

}  // namespace
}  // namespace midinf
