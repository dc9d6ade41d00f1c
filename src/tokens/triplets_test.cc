// Notes to ids and back, by hand; the reference's own results are in tokens_golden_test.cc.
#include "tokens/triplets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace midinf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Note note(std::int64_t onset, std::int64_t duration, int instrument = 0, int pitch = 60) {
  return {Ticks10ms(onset), Ticks10ms(duration), static_cast<std::uint8_t>(instrument),
          static_cast<std::uint8_t>(pitch)};
}

Triplet control(const Triplet& event) {
  return {event.onset + kControlBase, event.duration + kControlBase, event.note + kControlBase};
}

std::string error_of(const std::vector<TokenId>& ids) {
  const auto triplets = triplets_from_ids(ids);
  if (triplets) return "none";
  EXPECT_EQ(triplets.error().code, ErrorCode::kCorrupt);
  return triplets.error().to_string();
}

TEST(Triplets, ANoteIsOnsetDurationAndInstrumentWithPitch) {
  const std::vector<Note> notes{note(50, 25, 40, 69), note(123'456, 0, kDrums, 127)};
  const std::vector<Triplet> triplets = to_triplets(notes);
  EXPECT_THAT(triplets, ElementsAre(Triplet{50, 10'025, 11'000 + 128 * 40 + 69}, Triplet{123'456, 10'000, 27'511}));
  EXPECT_EQ(onset_of(triplets[1]), Ticks10ms(123'456));
  EXPECT_EQ(duration_of(triplets[0]), Ticks10ms(25));
  EXPECT_EQ(instrument_of(triplets[0]), 40);
  EXPECT_EQ(pitch_of(triplets[1]), 127);
  EXPECT_EQ(to_notes(triplets), notes);
}

TEST(Triplets, DurationsEndAt999) {
  EXPECT_THAT(to_triplets(std::vector{note(0, 999), note(0, 1'000), note(0, 1'000'000'000)}),
              ElementsAre(Triplet{0, 10'999, 11'060}, Triplet{0, 10'999, 11'060}, Triplet{0, 10'999, 11'060}));
}

TEST(Triplets, LateOnsetsAreNotTakenForControls) {
  const Triplet late{27'600, 10'010, 11'060};
  const Triplet announced = control({100, 10'010, 11'064});
  EXPECT_FALSE(is_control(late));
  EXPECT_TRUE(is_control(announced));
  EXPECT_EQ(onset_of(announced), Ticks10ms(100));
  EXPECT_EQ(duration_of(announced), Ticks10ms(10));
  EXPECT_THAT(to_notes(std::vector{announced, late}), ElementsAre(note(100, 10, 0, 64), note(27'600, 10)));
}

TEST(Triplets, RestSoundsNothing) {
  EXPECT_THAT(to_notes(std::vector<Triplet>{{100, 10'000, kRest}, {150, 10'010, 11'060}}), ElementsAre(note(150, 10)));
}

TEST(Triplets, APieceBeginsWhereTheLatestNoteBeforeItEnded) {
  const std::vector<Triplet> pieces{kSeparatorTriplet,    {0, 10'500, 11'060},  {100, 10'010, 11'060},
                                    {900, 10'000, kRest},  // silence at the end of a piece does not count
                                    kSeparatorTriplet,    {20, 10'010, 11'061}, kSeparatorTriplet,
                                    kSeparatorTriplet,    {0, 10'001, 11'062}};
  EXPECT_THAT(to_notes(pieces), ElementsAre(note(0, 500), note(100, 10), note(520, 10, 0, 61), note(530, 1, 0, 62)));
}

TEST(Triplets, RandomNotesSurviveIds) {
  std::mt19937_64 random(4);
  std::vector<Note> notes;
  for (int i = 0; i < 10'000; ++i)
    notes.push_back(note(static_cast<std::int64_t>(random() % (kMaxSongSteps + 1)),
                         static_cast<std::int64_t>(random() % kMaxDuration), static_cast<int>(random() % kInstruments),
                         static_cast<int>(random() % 128)));
  std::vector<Triplet> triplets = to_triplets(notes);
  for (std::size_t i = 0; i < triplets.size(); i += 3) triplets[i] = control(triplets[i]);
  const auto parsed = triplets_from_ids(flatten(triplets));
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_EQ(*parsed, triplets);
  EXPECT_EQ(to_notes(*parsed), notes);
}

TEST(Triplets, IdsFromOutsideAreChecked) {
  EXPECT_EQ(error_of({}), "none");
  EXPECT_EQ(error_of({0, 10'000, 27'512, 55'025, 55'025, 55'025, 27'513, 37'513, 38'513}), "none");
  EXPECT_EQ(error_of({37'513 - 1, 38'512, 55'024}), "none");  // the last control of all
  EXPECT_THAT(error_of({0, 10'000}), HasSubstr("2 ids are not a whole number of triplets"));
  EXPECT_THAT(error_of({0, 10'000, 11'000, -1, 10'000, 11'000}), AllOf(HasSubstr("triplet 2: -1 10000 11000 is not")));
  EXPECT_NE(error_of({0, 9'999, 11'000}), "none");
  EXPECT_NE(error_of({0, 11'000, 11'000}), "none");
  EXPECT_NE(error_of({0, 10'000, 10'999}), "none");
  EXPECT_NE(error_of({0, 10'000, 38'512}), "none");  // an event's onset before a control's duration as a note
  EXPECT_NE(error_of({0, 10'000, 38'513}), "none");  // half a control
  EXPECT_NE(error_of({0, 10'000, 55'025}), "none");  // half a separator
  EXPECT_NE(error_of({55'025, 55'025, 11'000}), "none");
  EXPECT_NE(error_of({0, 10'000, 55'026}), "none");  // a flag stands before triplets, not in them
  EXPECT_NE(error_of({0, 10'000, 2'147'483'647}), "none");
  EXPECT_NE(error_of({-2'147'483'647 - 1, -2'147'483'647 - 1, -2'147'483'647 - 1}), "none");
  EXPECT_NE(error_of({1'000'000'001, 10'000, 11'000}), "none");
  EXPECT_THAT(error_of({1'000'000'000, 10'001, 11'000, 55'025, 55'025, 55'025, 0, 10'000, 11'000}),
              HasSubstr("triplet 3: the piece goes on for more than 115 days"));
}

}  // namespace
}  // namespace midinf
