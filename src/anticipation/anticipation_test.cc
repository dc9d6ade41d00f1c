#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "anticipation/ensemble.h"
#include "anticipation/reference_rules.h"
#include "anticipation/slot_grammar.h"
#include "anticipation/window.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

using testing::HasSubstr;

Triplet note(TokenId onset, int instrument = 0, int pitch = 60) {
  return {onset, kDurationBase + 50, kNoteBase + instrument * kPitches + pitch};
}

StepContext at(Slot slot, std::span<const Triplet> history, std::int64_t now, std::int64_t origin = 0) {
  return {.history = history,
          .window_events = history.size(),
          .window_origin = Ticks10ms(origin),
          .now = Ticks10ms(now),
          .slot = slot,
          .drawn = {}};
}

RowRanges narrowed(const LogitProcessor& processor, const StepContext& context) {
  RowRanges rows = slot_rows(context.slot);
  processor.narrow(context, rows);
  return rows;
}

TEST(SlotGrammar, NeverGoesBackInTime) {
  const std::vector<Triplet> history{note(0)};
  EXPECT_EQ(narrowed(SlotGrammar(), at(Slot::kOnset, history, 0)), (RowRanges{{0, 10'000}}));
  EXPECT_EQ(narrowed(SlotGrammar(), at(Slot::kOnset, history, 1234)), (RowRanges{{1234, 10'000}}));
  EXPECT_EQ(narrowed(SlotGrammar(), at(Slot::kOnset, history, 50'000, 49'000)), (RowRanges{{1'000, 10'000}}));
}

TEST(SlotGrammar, TheFirstEventOfAllBeginsAtOnce) {
  EXPECT_EQ(narrowed(SlotGrammar(), at(Slot::kOnset, {}, 0)), (RowRanges{{0, 1}}));
  EXPECT_EQ(narrowed(SlotGrammar(), at(Slot::kOnset, {}, 500, 500)), (RowRanges{{0, 1}}));
  // A piece as it begins has a separator in its history: its first onset is the network's choice.
  const std::vector<Triplet> separator{kSeparatorTriplet};
  EXPECT_EQ(narrowed(SlotGrammar(), at(Slot::kOnset, separator, 0)), (RowRanges{{0, 10'000}}));
}

TEST(SlotGrammar, RestIsNeverSampledAsOnsetOrDuration) {
  for (const Slot slot : {Slot::kOnset, Slot::kDuration})
    EXPECT_FALSE(narrowed(SlotGrammar(), at(slot, {}, 0)).contains(kRest));
  EXPECT_TRUE(narrowed(SlotGrammar(), at(Slot::kNote, {}, 0)).contains(kRest));
}

TEST(SlotGrammar, AllowsNoControlAndNoSpecialId) {
  for (const Slot slot : {Slot::kOnset, Slot::kDuration, Slot::kNote}) {
    const RowRanges rows = narrowed(SlotGrammar(), at(slot, {}, 0));
    for (const RowRange& range : rows.ranges()) EXPECT_LE(range.end, kControlBase);
  }
}

TEST(Ensemble, LeavesOnlyItsInstrumentsAndRest) {
  const std::vector<int> trio{0, 33, 128};
  const RowRanges rows = narrowed(Ensemble(trio), at(Slot::kNote, {}, 0));
  EXPECT_EQ(rows.size(), 3 * kPitches + 1);
  for (const int instrument : trio) EXPECT_TRUE(rows.contains(instrument_rows(instrument).begin));
  EXPECT_FALSE(rows.contains(instrument_rows(1).begin));
  EXPECT_TRUE(rows.contains(kRest));
  EXPECT_EQ(narrowed(Ensemble(trio), at(Slot::kDuration, {}, 0)), slot_rows(Slot::kDuration));
}

TEST(ParseEnsemble, KnowsNamesFamiliesAndNumbers) {
  EXPECT_EQ(*parse_ensemble("drums,0, violin"), (std::vector<int>{0, 40, 128}));
  EXPECT_EQ(*parse_ensemble("bass"), (std::vector<int>{32, 33, 34, 35, 36, 37, 38, 39}));
  EXPECT_EQ(*parse_ensemble("piano,piano"), *parse_ensemble("piano"));
  for (const char* wrong : {"", "violin,", "flugelhorn", "129", "-1"}) EXPECT_FALSE(parse_ensemble(wrong)) << wrong;
  EXPECT_THAT(parse_ensemble("violin,flugelhorn").error().to_string(), HasSubstr("flugelhorn"));
}

TEST(ReferenceRules, AfterFifteenInstrumentsNoOtherIsDrawn) {
  std::vector<Triplet> history;
  for (int i = 0; i < 14; ++i) history.push_back(note(0, i));
  EXPECT_TRUE(narrowed(ReferenceRules(), at(Slot::kNote, history, 0)).contains(instrument_rows(99).begin));
  history.push_back({100, kDurationBase, kRest});  // REST counts as one
  const RowRanges rows = narrowed(ReferenceRules(), at(Slot::kNote, history, 0));
  EXPECT_EQ(rows.size(), 14 * kPitches + 1);
  EXPECT_TRUE(reference_slot_rows(Slot::kDuration).contains(kRest));
}

// Plays `count` events with the given steps between them and checks what the network would read before each.
void play(WindowPolicy policy, int count, const std::function<int(int)>& step, std::vector<Window>& windows) {
  std::vector<Triplet> history{kSeparatorTriplet};
  Window window;
  std::int64_t now = 0;
  for (int i = 0; i < count; ++i) {
    window = next_window(policy, history, window, Ticks10ms(now));
    windows.push_back(window);
    ASSERT_EQ(next_window(policy, history, window, Ticks10ms(now)), window) << "asking twice must change nothing";
    std::vector<TokenId> ids;
    append_context(history, window, ids);
    ASSERT_LE(ids.size() + 3, 1024U);
    ASSERT_EQ(ids[0], kAutoregress);
    for (std::size_t at = 1; at < ids.size(); at += 3) {
      if (ids[at] == kSeparator) continue;
      ASSERT_GE(ids[at], 0);
      ASSERT_LT(ids[at], kMaxOnset);
    }
    ASSERT_GE(now - window.origin.count(), 0);
    ASSERT_LT(now - window.origin.count(), kMaxOnset) << "the new event must fit into the onset range";
    now += step(i);
    history.push_back(note(static_cast<TokenId>(now)));
  }
}

TEST(Window, ChunksKeepHalfAndSlideRarely) {
  std::vector<Window> windows;
  play(WindowPolicy::kChunked, 3'000, [](int) { return 10; }, windows);
  int slides = 0;
  for (std::size_t i = 1; i < windows.size(); ++i) slides += windows[i].start != windows[i - 1].start ? 1 : 0;
  EXPECT_EQ(slides, (3'000 - 341) / 171 + 1);
}

TEST(Window, SparseMusicIsRebasedBeforeTheOnsetRangeEnds) {
  std::vector<Window> windows;
  play(WindowPolicy::kChunked, 2'000, [](int) { return 100; }, windows);  // only RESTs: a step of 1 s
  play(WindowPolicy::kChunked, 500, [](int) { return 999; }, windows);    // wider than any music
  play(WindowPolicy::kChunked, 500, [](int i) { return i % 50 == 0 ? 9'000 : 1; }, windows);
}

TEST(Window, TimeThatStandsStillIsNoProblem) {
  std::vector<Window> windows;
  play(WindowPolicy::kChunked, 1'000, [](int) { return 0; }, windows);
}

TEST(Window, RandomMusicAlwaysFits) {
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 20; ++round) {
    std::vector<Window> windows;
    const int widest = 1 << (round % 11);
    play(WindowPolicy::kChunked, 1'500, [&](int) { return static_cast<int>(random() % (2 * widest)); }, windows);
  }
}

TEST(Window, TheReferenceSlidesByOneEvent) {
  std::vector<Window> windows;
  play(WindowPolicy::kReference, 500, [](int) { return 10; }, windows);
  EXPECT_EQ(windows[338].start, 0U);
  EXPECT_EQ(windows[339].start, 1U);
  EXPECT_EQ(windows[340].start, 2U);
}

TEST(Window, TheReferenceSeesNothingBeyondTheOnsetRange) {
  const std::vector<Triplet> history{note(0), note(9'999), note(60'000)};
  std::vector<TokenId> ids;
  append_context(history, next_window(WindowPolicy::kReference, history, {}, Ticks10ms(60'000)), ids);
  EXPECT_EQ(ids[1], 0);
  EXPECT_EQ(ids[4], 9'999);
  EXPECT_EQ(ids[7], 9'999);
}

TEST(Window, APieceBeginsAtItsFirstNote) {
  const std::vector<Triplet> history{kSeparatorTriplet, note(700), note(800)};
  const Window window = next_window(WindowPolicy::kChunked, history, {}, Ticks10ms(800));
  std::vector<TokenId> ids;
  append_context(history, window, ids);
  EXPECT_EQ(ids[4], 0);
  EXPECT_EQ(ids[7], 100);
}

}  // namespace
}  // namespace midinf
