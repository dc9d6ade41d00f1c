// The operations at their edges, by hand; the reference's own results are in tokens_golden_test.cc.
#include "tokens/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokens/triplets.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Triplets = std::vector<Triplet>;

Triplet event(TokenId onset, TokenId duration = 10, int instrument = 0) {
  return {onset, kDurationBase + duration, kNoteBase + 128 * instrument + 60};
}
Triplet rest(TokenId onset) {
  return {onset, kDurationBase, kRest};
}
Triplet control(TokenId onset, TokenId duration = 10) {
  const Triplet e = event(onset, duration);
  return {e.onset + kControlBase, e.duration + kControlBase, e.note + kControlBase};
}
Ticks10ms steps(std::int64_t count) {
  return Ticks10ms(count);
}

TEST(Operations, PadPutsRestsOnlyIntoGapsOverTheInterval) {
  EXPECT_THAT(pad(Triplets{event(100), event(200), event(401)}),
              ElementsAre(event(100), event(200), rest(300), rest(400), event(401)));
  EXPECT_THAT(pad(Triplets{event(101)}), ElementsAre(rest(100), event(101)));
  EXPECT_THAT(pad(Triplets{event(0), event(30)}, std::nullopt, steps(20)), ElementsAre(event(0), rest(20), event(30)));
}

TEST(Operations, PadFillsUpToTheEnd) {
  EXPECT_THAT(pad(Triplets{event(50)}, steps(251)), ElementsAre(event(50), rest(150), rest(250)));
  EXPECT_THAT(pad(Triplets{event(50)}, steps(150)), ElementsAre(event(50)));
  EXPECT_THAT(pad(Triplets{event(50)}, steps(0)), ElementsAre(event(50)));
  EXPECT_THAT(pad(Triplets{}, steps(101)), ElementsAre(rest(100)));
  EXPECT_THAT(pad(Triplets{}), IsEmpty());
}

TEST(Operations, UnpadDropsRestsAndNothingElse) {
  EXPECT_THAT(unpad(Triplets{rest(0), event(1), kSeparatorTriplet, control(2), rest(3)}),
              ElementsAre(event(1), kSeparatorTriplet, control(2)));
}

TEST(Operations, ClipKeepsBothEndsAndShortensWhatSoundsPastTheEnd) {
  const Triplets list{event(99), event(100, 100), event(150, 51), control(200, 7), event(201)};
  EXPECT_THAT(clip(list, steps(100), steps(200)), ElementsAre(event(100, 100), event(150, 50), control(200, 0)));
  EXPECT_THAT(clip(list, steps(100), steps(200), ClipDuration::kKeep),
              ElementsAre(event(100, 100), event(150, 51), control(200, 7)));
}

TEST(Operations, ClipInSecondsRoundsWhereTheReferenceTruncates) {
  // 100 * 1.15 is a little under 115 in binary.
  EXPECT_THAT(clip(Triplets{event(114), event(115, 0)}, Seconds(1.15), Seconds(1.15)), ElementsAre(event(115, 0)));
}

TEST(Operations, MaskKeepsBothEnds) {
  EXPECT_THAT(mask(Triplets{event(100), event(101), control(150), event(199), event(200)}, steps(100), steps(200)),
              ElementsAre(event(100), event(200)));
}

TEST(Operations, SortIsStableByTimeAndPutsControlsAtTheirOwn) {
  EXPECT_THAT(sort(Triplets{event(5, 3), control(4), event(5, 1), event(1), event(30'000)}),
              ElementsAre(event(1), control(4), event(5, 3), event(5, 1), event(30'000)));
}

TEST(Operations, TranslateStopsAtTheFirstSeparator) {
  EXPECT_THAT(translate(Triplets{event(10), control(20), rest(30), kSeparatorTriplet, event(0)}, steps(-10)),
              ElementsAre(event(0), control(10), rest(20), kSeparatorTriplet, event(0)));
  EXPECT_THAT(translate(Triplets{event(10)}, steps(40'000)), ElementsAre(event(40'010)));
}

TEST(Operations, MinTimeStopsAtASeparatorAndMaxTimeDoesNot) {
  const Triplets list{event(50, 10, 3), control(40), rest(20), kSeparatorTriplet, event(5), event(70), rest(90)};
  EXPECT_EQ(min_time(list), steps(20));
  EXPECT_EQ(min_time(list, 0), steps(40));
  EXPECT_EQ(min_time(list, 3), steps(50));
  EXPECT_EQ(max_time(list), steps(90));
  EXPECT_EQ(max_time(list, 0), steps(70));
  EXPECT_EQ(min_time(list, 7), steps(0));
  EXPECT_EQ(max_time(list, 7), steps(0));
  EXPECT_EQ(min_time(Triplets{}), steps(0));
  EXPECT_EQ(max_time(Triplets{}), steps(0));
}

TEST(OperationsDeathTest, TimesMustStayInRange) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(translate(Triplets{event(10)}, steps(-11)), "internal error");
  EXPECT_DEATH(pad(Triplets{control(10)}), "internal error");
}

}  // namespace
}  // namespace midinf
