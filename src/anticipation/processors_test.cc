// The processors, one promise at a time, and all together against their definition (plain_chain.h).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "anticipation/density.h"
#include "anticipation/frequency_penalty.h"
#include "anticipation/instrument_cap.h"
#include "anticipation/pace.h"
#include "anticipation/pitch_ranges.h"
#include "anticipation/plain_chain.h"
#include "anticipation/polyphony.h"
#include "anticipation/scale.h"
#include "anticipation/slot_grammar.h"

namespace midinf {
namespace {

using testing::HasSubstr;

Triplet note(TokenId onset, int instrument, int pitch = 60, int duration = 50) {
  return {onset, kDurationBase + duration, kNoteBase + instrument * kPitches + pitch};
}
Triplet rest(TokenId onset) {
  return {onset, kDurationBase, kRest};
}
constexpr TokenId id_of(int instrument, int pitch) {
  return kNoteBase + instrument * kPitches + pitch;
}

StepContext at(Slot slot, std::span<const Triplet> history, std::int64_t now, std::int64_t origin = 0) {
  return {.history = history,
          .window_events = history.size(),
          .window_origin = Ticks10ms(origin),
          .now = Ticks10ms(now),
          .slot = slot,
          .drawn = {static_cast<TokenId>(now - origin), 0, 0}};
}

RowRanges narrowed(const LogitProcessor& processor, const StepContext& context) {
  RowRanges rows = slot_rows(context.slot);
  processor.narrow(context, rows);
  return rows;
}

// The logit that the note gets when all are 0 before.
float raised(const LogitProcessor& processor, const StepContext& context, TokenId id) {
  const RowRanges rows = slot_rows(context.slot);
  std::vector<float> logits(static_cast<std::size_t>(rows.size()));
  processor.edit(context, rows, logits);
  return logits[static_cast<std::size_t>(rows.index_of(id))];
}

TEST(PitchRanges, BindOnlyTheInstrumentsThatHaveOne) {
  const std::vector<PitchRange> ranges{{33, 28, 55}, {128, 36, 36}};
  const RowRanges rows = narrowed(PitchRanges(ranges), at(Slot::kNote, {}, 0));
  EXPECT_EQ(rows.size(), 127 * kPitches + 28 + 1 + 1);
  EXPECT_FALSE(rows.contains(id_of(33, 27)));
  EXPECT_TRUE(rows.contains(id_of(33, 28)));
  EXPECT_TRUE(rows.contains(id_of(33, 55)));
  EXPECT_FALSE(rows.contains(id_of(33, 56)));
  EXPECT_TRUE(rows.contains(id_of(32, 127)));
  EXPECT_TRUE(rows.contains(kRest));
  EXPECT_EQ(narrowed(PitchRanges(ranges), at(Slot::kOnset, {}, 0)), slot_rows(Slot::kOnset));
}

TEST(Scale, BindsEverybodyButTheDrums) {
  const RowRanges rows = narrowed(Scale(*parse_scale("C major")), at(Slot::kNote, {}, 0));
  for (int key = 0; key < kPitches; ++key) {
    const bool white = std::string_view("101011010101")[static_cast<std::size_t>(key % 12)] == '1';
    for (const int instrument : {0, 64, 127}) EXPECT_EQ(rows.contains(id_of(instrument, key)), white) << key;
    EXPECT_TRUE(rows.contains(id_of(kDrums, key)));
  }
  EXPECT_TRUE(rows.contains(kRest));
}

TEST(Polyphony, ANewNoteWaitsUntilOneHasEnded) {
  const std::vector<Triplet> history{note(1'000, 0, 60, 100), note(1'010, 0, 64, 50), rest(1'020),
                                     note(1'020, 0, 67, 5)};
  const auto earliest = [&](int most) {
    return narrowed(Polyphony(most), at(Slot::kOnset, history, 1'020, 500)).ranges().front().begin + 500;
  };
  EXPECT_EQ(earliest(4), 500) << "it leaves what is before now to the grammar";
  EXPECT_EQ(earliest(3), 1'025);
  EXPECT_EQ(earliest(2), 1'060);
  EXPECT_EQ(earliest(1), 1'100);
}

TEST(Polyphony, ANoteWithoutLengthSoundsForOneStep) {
  const std::vector<Triplet> history{note(10, 0, 60, 0)};
  EXPECT_EQ(narrowed(Polyphony(1), at(Slot::kOnset, history, 10)).ranges().front().begin, 11);
}

TEST(Polyphony, LeavesTheLastOnsetAtLeast) {
  const std::vector<Triplet> history{note(9'990, 0, 60, 999)};
  EXPECT_EQ(narrowed(Polyphony(1), at(Slot::kOnset, history, 9'990)), (RowRanges{{9'999, 10'000}}));
}

TEST(Pace, ANewNoteWaitsUntilASecondIsLessFull) {
  const std::vector<Triplet> history{note(1'000, 0), note(1'010, 0), note(1'010, 33), rest(1'015), note(1'020, 0)};
  const auto earliest = [&](int most) {
    return narrowed(Pace(most), at(Slot::kOnset, history, 1'020, 500)).ranges().front().begin + 500;
  };
  EXPECT_EQ(earliest(5), 500) << "it leaves what is before now to the grammar";
  EXPECT_EQ(earliest(4), 1'100);
  EXPECT_EQ(earliest(3), 1'110);
  EXPECT_EQ(earliest(2), 1'110);
  EXPECT_EQ(earliest(1), 1'120);
}

TEST(Pace, LeavesTheLastOnsetAtLeast) {
  const std::vector<Triplet> history{note(9'950, 0)};
  EXPECT_EQ(narrowed(Pace(1), at(Slot::kOnset, history, 9'950)), (RowRanges{{9'999, 10'000}}));
}

TEST(InstrumentCap, WhenFullOthersMustWait) {
  const std::vector<Triplet> history{kSeparatorTriplet, note(0, 0), note(0, 33), rest(10), note(20, 33)};
  const StepContext context = at(Slot::kNote, history, 20);
  EXPECT_EQ(narrowed(InstrumentCap(3), context), slot_rows(Slot::kNote));
  EXPECT_EQ(narrowed(InstrumentCap(2), context), notes_and_rest(InstrumentSet().set(0).set(33)));
  EXPECT_EQ(narrowed(InstrumentCap(2), at(Slot::kOnset, history, 20)), slot_rows(Slot::kOnset));
}

TEST(InstrumentCap, WhatTheWindowHasLeftNoLongerCounts) {
  const std::vector<Triplet> history{note(0, 0), note(0, 33), note(20, 33)};
  StepContext context = at(Slot::kNote, history, 20);
  context.window_events = 2;
  EXPECT_EQ(narrowed(InstrumentCap(2), context), slot_rows(Slot::kNote));
}

TEST(InstrumentCap, ALowerCapLeavesThoseWhoPlayedLast) {
  const std::vector<Triplet> history{note(0, 0), note(0, 1), note(0, 2), note(10, 0), note(20, 3)};
  EXPECT_EQ(narrowed(InstrumentCap(2), at(Slot::kNote, history, 20)), notes_and_rest(InstrumentSet().set(0).set(3)));
}

TEST(InstrumentCap, ANewEnsembleIsNotLockedOutByTheOldOne) {
  const std::vector<Triplet> history{note(0, 0), note(0, 1), note(0, 2)};
  RowRanges rows = notes_and_rest(InstrumentSet().set(40).set(41));
  InstrumentCap(2).narrow(at(Slot::kNote, history, 20), rows);
  EXPECT_EQ(rows, notes_and_rest(InstrumentSet().set(40).set(41)));
}

TEST(FrequencyPenalty, CountsNotesInTheWindowAndNothingElse) {
  const std::vector<Triplet> history{note(0, 0), note(0, 0), note(0, 1), rest(0), note(5, 0)};
  StepContext context = at(Slot::kNote, history, 5);
  EXPECT_EQ(raised(FrequencyPenalty(0.5), context, id_of(0, 60)), -1.5F);
  EXPECT_EQ(raised(FrequencyPenalty(0.5), context, id_of(1, 60)), -0.5F);
  EXPECT_EQ(raised(FrequencyPenalty(0.5), context, id_of(0, 61)), 0);
  EXPECT_EQ(raised(FrequencyPenalty(0.5), context, kRest), 0);
  context.window_events = 4;
  EXPECT_EQ(raised(FrequencyPenalty(0.5), context, id_of(0, 60)), -1);
  EXPECT_EQ(raised(FrequencyPenalty(-2), at(Slot::kDuration, history, 5), kDurationBase + 50), 0);
}

TEST(Density, CallsWhoHasBeenSilentByEvents) {
  const std::vector<Triplet> history{kSeparatorTriplet, note(0, 0), note(0, 33), rest(50), note(90, 33)};
  const Density density(2, DensityUnit::kEvents, std::vector<int>{0, 33, 40});
  const StepContext context = at(Slot::kNote, history, 100);
  EXPECT_EQ(raised(density, context, id_of(33, 60)), 0);
  EXPECT_EQ(raised(density, context, id_of(0, 127)), 2 * 3) << "a REST is an event";
  EXPECT_EQ(raised(density, context, id_of(40, 0)), 2 * 4) << "never heard: since the beginning, the separator aside";
  EXPECT_EQ(raised(density, context, kRest), 0);
  EXPECT_EQ(raised(density, at(Slot::kOnset, history, 100), 100), 0);
}

TEST(Density, CallsWhoHasBeenSilentBySeconds) {
  const std::vector<Triplet> history{kSeparatorTriplet, note(1'000, 0), note(1'100, 33), rest(1'150)};
  const Density density(2, DensityUnit::kSeconds, std::vector<int>{0, 33, 40});
  StepContext context = at(Slot::kNote, history, 1'150, 900);
  context.drawn.onset = 300;  // 12 s of the stream
  EXPECT_FLOAT_EQ(raised(density, context, id_of(33, 60)), 2 * 1.0F);
  EXPECT_FLOAT_EQ(raised(density, context, id_of(0, 60)), 2 * 2.0F);
  EXPECT_FLOAT_EQ(raised(density, context, id_of(40, 60)), 2 * 2.0F);
}

TEST(Density, WithoutAnEnsembleOnlyThoseHeardAreCalled) {
  const std::vector<Triplet> history{note(0, 0), note(0, 33)};
  const Density density(1, DensityUnit::kEvents, {});
  EXPECT_EQ(raised(density, at(Slot::kNote, history, 0), id_of(0, 60)), 1);
  EXPECT_EQ(raised(density, at(Slot::kNote, history, 0), id_of(40, 60)), 0);
}

TEST(Density, TheCountSurvivesTheWindowAndEndsAt1024) {
  std::vector<Triplet> history{note(0, 0)};
  while (history.size() < 1'024) history.push_back(note(0, 33));
  StepContext context = at(Slot::kNote, history, 0);
  context.window_events = 170;
  const Density density(1, DensityUnit::kEvents, std::vector<int>{0, 40});
  EXPECT_EQ(raised(density, context, id_of(0, 60)), 1'023);
  history.insert(history.begin(), 1'000, note(0, 33));
  context.history = history;
  EXPECT_EQ(raised(density, context, id_of(0, 60)), 1'023);
  EXPECT_EQ(raised(density, context, id_of(40, 60)), 1'024);
}

TEST(ParseScale, KnowsNamesAndPitchClasses) {
  EXPECT_EQ(*parse_scale("C major"), 0b101010110101);
  EXPECT_EQ(*parse_scale(" a  MINOR "), *parse_scale("C major"));
  EXPECT_EQ(*parse_scale("D dorian"), *parse_scale("0,2, 4,5,7,9,11"));
  EXPECT_EQ(*parse_scale("F# pentatonic"), *parse_scale("Gb major pentatonic"));
  EXPECT_EQ(*parse_scale("F# pentatonic"), *parse_scale("6,8,10,1,3"));
  EXPECT_EQ(*parse_scale("bb minor"), *parse_scale("C# major"));
  EXPECT_EQ(*parse_scale("C minor pentatonic"), *parse_scale("0,3,5,7,10"));
  EXPECT_EQ(*parse_scale("chromatic"), kAllPitchClasses);
  EXPECT_EQ(*parse_scale("cb locrian"), *parse_scale("b locrian"));
  for (const char* wrong : {"", "C", "H major", "C majo", "Cmajor", "12", "-1", "0,", ",0", "0 1", "C major,", "0,x"})
    EXPECT_FALSE(parse_scale(wrong)) << wrong;
  EXPECT_THAT(parse_scale("C majo").error().to_string(), HasSubstr("'C majo'"));
}

TEST(ParsePitchRanges, KnowsNamesNumbersAndNotes) {
  EXPECT_EQ(*parse_pitch_ranges("33:28-55"), (std::vector<PitchRange>{{33, 28, 55}}));
  EXPECT_EQ(*parse_pitch_ranges("fingered bass:E1-G3,flute : C4-c7"),
            (std::vector<PitchRange>{{33, 28, 55}, {73, 60, 96}}));
  EXPECT_EQ(*parse_pitch_ranges("drums:C-1-G9"), (std::vector<PitchRange>{{128, 0, 127}}));
  EXPECT_EQ(*parse_pitch_ranges("flute:Bb3-B#3"), (std::vector<PitchRange>{{73, 58, 60}}));
  EXPECT_EQ(parse_pitch_ranges("bass:28-55")->size(), 8U);
  for (const char* wrong : {"", "flute", "flute:", "flute:1", "flute:1-", "flute:2-1", "flute:0-128", "flute:G9-G#9",
                            "flute:1-2-3", "flugelhorn:1-2", "flute:1-2,", "flute:-1-2", "flute:Cb-1-2"})
    EXPECT_FALSE(parse_pitch_ranges(wrong)) << wrong;
}

TEST(CheckSettings, NamesWhatIsWrong) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(check_settings({}));
  const std::vector<std::pair<Settings, std::string>> wrong{
      {{.temperature = nan}, "temperature: nan is no number from 0 to 10"},
      {{.temperature = -1}, "temperature: -1"},
      {{.top_p = nan}, "top-p: nan"},
      {{.top_p = 1.5}, "top-p: 1.5 is no number from 0 to 1"},
      {{.top_k = -1}, "top-k: -1"},
      {{.min_p = nan}, "min-p: nan"},
      {{.ensemble = {0, 129}}, "ensemble, instrument: 129 is no number from 0 to 128"},
      {{.density = nan}, "density: nan"},
      {{.density = 3.5}, "density: 3.5"},
      {{.density_unit = static_cast<DensityUnit>(2)}, "density unit: 2"},
      {{.instrument_cap = -1}, "instrument cap: -1"},
      {{.instrument_cap = 130}, "instrument cap: 130"},
      {{.frequency_penalty = nan}, "frequency penalty: nan"},
      {{.frequency_penalty = 2.5}, "frequency penalty: 2.5"},
      {{.polyphony = -1}, "polyphony: -1"},
      {{.pace = -1}, "pace: -1"},
      {{.scale = 0}, "scale, set of pitch classes: 0"},
      {{.scale = 0x1000}, "scale, set of pitch classes: 4096"},
      {{.pitch_ranges = {{129, 0, 1}}}, "pitch range, instrument: 129"},
      {{.pitch_ranges = {{0, 1, 128}}}, "pitch range of Acoustic Grand Piano: 128"},
      {{.pitch_ranges = {{0, 2, 1}}}, "pitch range of Acoustic Grand Piano: 2 is no number from 0 to 1"},
      {{.pitch_ranges = {{0, 0, 1}, {0, 5, 6}}}, "at most one"},
      {{.ensemble = {0}, .scale = 0b10, .pitch_ranges = {{0, 60, 60}}}, "no instrument a key"},
      {{.processors = {nullptr}}, "processors"}};
  for (const auto& [settings, message] : wrong) {
    const auto checked = check_settings(settings);
    ASSERT_FALSE(checked) << message;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(checked.error().to_string(), HasSubstr(message));
  }
  EXPECT_TRUE(check_settings({.ensemble = {0, 1}, .scale = 0b10, .pitch_ranges = {{0, 60, 60}}})) << "1 still plays";
}

TEST(MakeProcessors, OnlyThoseThatDoSomething) {
  EXPECT_EQ(make_processors({}).size(), 2U);  // the grammar and top-p
  EXPECT_EQ(make_processors({.top_p = 1}).size(), 1U);
}

// Music and settings of all kinds.
struct RandomStep {
  explicit RandomStep(std::mt19937& random) {
    const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    const auto maybe = [&](auto value) { return below(2) == 0 ? value : decltype(value){}; };
    const int players = 1 + below(12), longest = 1 << below(10);
    const auto player = [&] { return below(players) * 128 / players + (below(9) == 0 ? 1 : 0); };
    int now = below(5'000);
    for (int i = below(2) * below(1'024) + below(3); i > 0; --i) {
      now += below(4) == 0 ? below(6) : 0;
      const int kind = below(12);
      history.push_back(kind == 0   ? rest(now)
                        : kind == 1 ? kSeparatorTriplet
                                    : note(now, player(), 40 + below(40), below(longest)));
    }
    context = at(static_cast<Slot>(below(3)), history, now, now - std::min(now, below(9'000)));
    context.window_events = history.empty() ? 0 : 1 + random() % history.size();
    context.drawn.onset += below(300);
    settings.temperature = std::array{0.0, 0.3, 1.0, 1.0, 4.0}[random() % 5];
    settings.top_p = std::array{0.0, 0.5, 0.98, 1.0, 1.0}[random() % 5];
    settings.top_k = maybe(1 + below(300));
    settings.min_p = maybe(0.05);
    for (int i = maybe(below(8)); i > 0; --i) settings.ensemble.push_back(player());
    settings.density = maybe(0.01 * below(300));
    settings.density_unit = below(2) == 0 ? DensityUnit::kEvents : DensityUnit::kSeconds;
    settings.instrument_cap = maybe(1 + below(8));
    settings.frequency_penalty = maybe(0.01 * (below(400) - 200));
    settings.polyphony = maybe(1 + below(12));
    settings.pace = maybe(1 + below(30));
    settings.scale = below(2) == 0 ? kAllPitchClasses : static_cast<std::uint16_t>(1 + below(kAllPitchClasses));
    for (int instrument = 0; instrument < kInstruments; instrument += 1 + below(60))
      settings.pitch_ranges.push_back({instrument, below(50), 50 + below(70)});
    logits.resize(kVocabulary);
    std::normal_distribution<float> normal(0, 3);
    for (float& logit : logits) logit = normal(random);
  }
  std::vector<Triplet> history;
  StepContext context;
  Settings settings;
  std::vector<float> logits;
};

class RandomSteps : public testing::Test {
 protected:
  const unsigned seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
  testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
};

using Processors = RandomSteps;

TEST_F(Processors, DoWhatTheirDefinitionsSay) {
  for (int round = 0; round < 150; ++round) {
    const RandomStep step(random_);
    if (!check_settings(step.settings)) continue;
    const PlainLogits expected = plain_chain(step.settings, step.context, {step.logits.begin(), step.logits.end()});
    // Float logits of up to 3,000 after density, and ids on the very edge of a filter.
    EXPECT_LT(difference(through_processors(step.settings, step.context, step.logits), expected), 2e-3)
        << "round " << round;
  }
}

TEST_F(Processors, NeverAddAnIdAndNeverTakeTheLast) {
  for (int round = 0; round < 300; ++round) {
    const RandomStep step(random_);
    RowRanges rows;
    for (int i = 0; i < 1 + round % 40; ++i) {
      const TokenId begin = static_cast<TokenId>(random_() % kVocabulary);
      rows.add({begin, std::min(begin + 1 + static_cast<TokenId>(random_() % (1U << round % 13)), kVocabulary)});
    }
    if (round % 4 == 0) rows = slot_rows(step.context.slot);
    const auto chain = make_processors(step.settings);
    for (std::size_t i = round % 4 == 0 ? 0 : 1; i < chain.size(); ++i) {  // the grammar's slot has no other ids
      RowRanges left = rows, common = rows;
      chain[i]->narrow(step.context, left);
      common.intersect(left);
      EXPECT_EQ(common, left) << "round " << round;
      EXPECT_FALSE(left.empty()) << "round " << round;
    }
  }
}

TEST_F(Processors, SameArgumentsSameResult) {
  for (int round = 0; round < 30; ++round) {
    const RandomStep step(random_);
    const Narrowed once = through_processors(step.settings, step.context, step.logits);
    const auto chain = make_processors(step.settings);
    for (int again = 0; again < 2; ++again) {  // the same objects, after having seen another step
      RowRanges rows = {{0, kVocabulary}};
      for (const auto& processor : chain) processor->narrow(step.context, rows);
      EXPECT_EQ(rows, once.rows);
      std::vector<float> logits;
      for (const RowRange& range : rows.ranges())
        logits.insert(logits.end(), step.logits.begin() + range.begin, step.logits.begin() + range.end);
      for (const auto& processor : chain) processor->edit(step.context, rows, logits);
      EXPECT_EQ(logits, once.logits);
      EXPECT_TRUE(std::any_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); }));
      const RandomStep other(random_);
      std::vector<float> others(static_cast<std::size_t>(slot_rows(other.context.slot).size()));
      for (const auto& processor : chain) processor->edit(other.context, slot_rows(other.context.slot), others);
    }
  }
}

}  // namespace
}  // namespace midinf
