#include "streamability.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "streamability_command.h"
#include "streamability_svg.h"
#include "xml_fault.h"

namespace midinf::cli {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Piece piece(const std::vector<int>& onsets, int length, std::size_t first_note = 0) {
  Piece piece{.onsets = {}, .first_note = first_note, .length = Ticks10ms(length)};
  for (const int onset : onsets) piece.onsets.emplace_back(onset);
  return piece;
}

TEST(WindowDemands, AreTheTokensOfEachWholeSecond) {
  // 99 and 100 lie on both sides of an edge; the third second is empty; half a second at the end is no window.
  const std::vector pieces = {piece({0, 50, 99, 100, 150, 310}, 350)};
  EXPECT_THAT(window_demands(pieces, Seconds(0)), ElementsAre(9, 6, 0));
  EXPECT_THAT(window_demands(std::vector{piece({}, 200)}, Seconds(0)), ElementsAre(0, 0));
  EXPECT_THAT(window_demands(std::vector{piece({0}, 99)}, Seconds(0)), ElementsAre());
}

TEST(WindowDemands, SpreadOverTheBufferThatGoesBefore) {
  const std::vector pieces = {piece({0, 50, 99, 100, 150, 310}, 350)};
  EXPECT_THAT(window_demands(pieces, Seconds(2)), ElementsAre(3, 5, 5)) << "nothing comes before the beginning";
  EXPECT_THAT(window_demands(pieces, Seconds(0.5)), ElementsAre(6, 8, 2));
  EXPECT_THAT(window_demands(pieces, Seconds(100)),
              ElementsAre(DoubleNear(9 / 101.0, 1e-12), DoubleNear(15 / 101.0, 1e-12), DoubleNear(15 / 101.0, 1e-12)));
}

TEST(WindowDemands, OfAPieceKnowNothingOfTheOneBefore) {
  const std::vector pieces = {piece({150, 160, 170}, 200), piece({0}, 100)};
  EXPECT_THAT(window_demands(pieces, Seconds(2)), ElementsAre(0, 3, 1));
}

TEST(StreamableShare, CountsWhatIsAtMostTheSpeed) {
  const std::vector<double> demands = {12, 3, 9, 6};
  EXPECT_EQ(streamable_share(demands, 2.9), 0);
  EXPECT_EQ(streamable_share(demands, 6), 0.5);
  EXPECT_EQ(streamable_share(demands, 5.9), 0.25);
  EXPECT_EQ(streamable_share(demands, 12), 1);
}

TEST(StreamableShare, OfAWindowThatTakesAllThatComesIsWhole) {
  // 11 events in 1.1 s are 30 tokens a second, a quotient that does not come out even.
  const auto demands = window_demands(std::vector{piece(std::vector<int>(11, 50), 100)}, Seconds(0.1));
  EXPECT_EQ(streamable_share(demands, 30), 1);
  EXPECT_EQ(streamable_share(demands, 29.99), 0);
}

TEST(SpeedNeeded, IsTheLowestThatMeetsTheShare) {
  const std::vector<double> demands = {12, 3, 9, 6};
  EXPECT_EQ(speed_needed(demands, 0), 3);
  EXPECT_EQ(speed_needed(demands, 0.25), 3);
  EXPECT_EQ(speed_needed(demands, 0.26), 6);
  EXPECT_EQ(speed_needed(demands, 0.5), 6);
  EXPECT_EQ(speed_needed(demands, 0.95), 12);
  std::vector<double> hundred;
  for (int i = 100; i > 0; --i) hundred.push_back(3 * i);
  for (const double share : {0.01, 0.29, 0.57, 0.95, 0.99, 1.0}) {
    EXPECT_THAT(speed_needed(hundred, share), DoubleNear(300 * share, 1e-9));
    EXPECT_GE(streamable_share(hundred, speed_needed(hundred, share)), share);
  }
}

TEST(PlaysThrough, WhenEachEventIsThereInTime) {
  const Piece steady = piece({0, 100, 200}, 300);  // three tokens a second
  EXPECT_TRUE(plays_through(steady, 3, Seconds(0)));
  EXPECT_FALSE(plays_through(steady, 2.99, Seconds(0)));
  // Slower than it plays, but there is a second more: begins at 6/s, the last due at 6/s + 2, there at 9/s.
  EXPECT_TRUE(plays_through(steady, 1.5, Seconds(1)));
  EXPECT_FALSE(plays_through(steady, 1.49, Seconds(0)));
}

TEST(PlaysThrough, OnlyWithABufferIfItBeginsWithAChord) {
  const Piece chord = piece({0, 0, 100}, 200);
  EXPECT_FALSE(plays_through(chord, 10'000, Seconds(0))) << "the first note sounds before the second is there";
  EXPECT_TRUE(plays_through(chord, 0.1, Seconds(1))) << "all of it is there when it begins";
}

TEST(PlaysThrough, FailsWhereACrowdFollowsTheBuffer) {
  // Begins with the third event, 9/s; the sixth, 18/s, is due 2 s later.
  const Piece crowd = piece({0, 100, 200, 200, 200, 200}, 300);
  EXPECT_TRUE(plays_through(crowd, 4.5, Seconds(2)));
  EXPECT_FALSE(plays_through(crowd, 4.4, Seconds(2)));
  // What was late once is late, however much time comes after it.
  EXPECT_FALSE(plays_through(piece({0, 100, 200, 200, 200, 200, 9'000}, 9'100), 4.4, Seconds(2)));
}

TEST(PlaysThrough, BeginsWithTheFirstNoteNotWithTheSilenceBefore) {
  // begins at 6/s; the third event, 9/s, is due a second later.
  const Piece rest_first = piece({0, 100, 200}, 300, 1);
  EXPECT_TRUE(plays_through(rest_first, 3, Seconds(0)));
  EXPECT_FALSE(plays_through(rest_first, 2.9, Seconds(0)));
}

TEST(PlaysThrough, WhereThereIsNothingOrLessThanTheBuffer) {
  EXPECT_TRUE(plays_through(piece({}, 100), 0.1, Seconds(0)));
  EXPECT_TRUE(plays_through(piece({0, 10}, 100, 2), 0.1, Seconds(0))) << "nothing but RESTs";
  EXPECT_TRUE(plays_through(piece({0, 0, 0, 50}, 100), 0.1, Seconds(2)));
  const std::vector pieces = {piece({}, 100), piece({0, 0}, 100)};
  EXPECT_EQ(playing_share(pieces, 1, Seconds(0)), 0.5);
}

// A distribution as the paper's rows say: evenly between one speed and the next.
std::vector<double> as_published() {
  std::vector<PublishedRow> rows(published_rows().begin(), published_rows().end());
  std::ranges::sort(rows, {}, &PublishedRow::speed);
  std::vector<double> demands;
  double speed = 0, share = 0;
  const auto fill = [&](double next_speed, double next_share) {
    const int count = static_cast<int>(1000 * (next_share - share) + 0.5);
    for (int i = 0; i < count; ++i) demands.push_back(speed + (next_speed - speed) * (i + 0.5) / count);
    speed = next_speed, share = next_share;
  };
  for (const PublishedRow& row : rows) fill(row.speed, row.share);
  fill(300, 1);
  return demands;
}

TEST(DensityOfThePaper, IsTheFactorThatGivesItsShares) {
  std::vector<double> demands = as_published();
  ASSERT_EQ(demands.size(), 1000U);
  for (const PublishedRow& row : published_rows())
    EXPECT_THAT(streamable_share(demands, row.speed), DoubleNear(row.share, 0.001)) << row.name;
  EXPECT_THAT(density_of_the_paper(demands), DoubleNear(1, 0.011));
  for (double& demand : demands) demand /= 1.7;
  EXPECT_THAT(density_of_the_paper(demands), DoubleNear(1.7, 0.011));
  EXPECT_TRUE(std::isfinite(density_of_the_paper(std::vector<double>{0})));
}

TEST(DemandSvg, IsWellFormedForAllCurvesAndMarks) {
  const std::vector<double> spread = {0, 3, 9, 30, 30, 33, 60, 240};
  const std::vector<std::vector<DemandCurve>> curves = {
      {{"one second", {0}}},
      {{"one second", std::vector<double>(5, 30)}},
      {{"<one & \"only\">", spread}, {"three", {5, 5, 6}}, {std::string(500, 'x'), spread}, {"", {1e6}}}};
  const std::vector<std::vector<SpeedMark>> marks = {
      {},
      {{"small, M2, MLC", 84, true}, {"<\x01\xff>", 84}, {"close", 85}},
      {{"far beyond", 1e6}, {"and this", 2e6}, {std::string(500, 'x'), 0.01}}};
  for (const auto& some_curves : curves)
    for (const auto& some_marks : marks) {
      const std::string svg = demand_svg(some_curves, some_marks, "a < b & c");
      EXPECT_EQ(xml_fault(svg), "");
      EXPECT_THAT(svg, HasSubstr("a &lt; b &amp; c"));
      EXPECT_THAT(svg, Not(HasSubstr("nan")));
      EXPECT_THAT(svg, Not(HasSubstr("inf")));
      for (const SpeedMark& mark : some_marks)
        if (mark.name.find_first_of("<x") == mark.name.npos) {
          EXPECT_THAT(svg, HasSubstr(mark.name));
        }
      EXPECT_EQ(demand_svg(some_curves, some_marks, "a < b & c"), svg);
    }
}

TEST(DemandSvg, IsHighestWhereMostWindowsAre) {
  const std::string svg = demand_svg(std::vector<DemandCurve>{{"one second", {57, 60, 60, 60, 63, 120}}}, {}, "");
  std::size_t at = svg.find("d=\"M", svg.find("stroke-width=\"2\"")) + 4;
  double x = 0, y = 0, best_x = 0, best_y = 1e9;
  for (const std::size_t end = svg.find('"', at); at < end; at = svg.find_first_of("L\"", at) + 1) {
    ASSERT_EQ(std::sscanf(&svg[at], "%lf %lf", &x, &y), 2);
    if (y < best_y) best_x = x, best_y = y;
  }
  // 0 to 180 tokens a second from x = 64 to 960.
  EXPECT_NEAR(best_x, 64 + 896 * 60 / 180.0, 4);
  EXPECT_EQ(x, 960);
}

TEST(ParseSpeed, TakesANumberAndPerhapsItsName) {
  EXPECT_EQ(parse_speed("155")->speed, 155);
  EXPECT_EQ(parse_speed("a = b=84.5")->speed, 84.5);
  EXPECT_EQ(parse_speed("a = b=84.5")->name, "a = b");
  for (const std::string_view bad : {"", "fast", "0", "-3", "nan", "inf", "1e7", "12x", "laptop=", "12 ", " 12"})
    EXPECT_FALSE(parse_speed(bad)) << bad;
}

TEST(ParseBuffers, TakesOneToFourLengths) {
  EXPECT_THAT(*parse_buffers("0,2"), ElementsAre(Seconds(0), Seconds(2)));
  EXPECT_THAT(*parse_buffers("0.5"), ElementsAre(Seconds(0.5)));
  EXPECT_EQ(parse_buffers("1,2,3,4")->size(), 4U);
  for (const std::string_view bad : {"", ",", "0,", ",2", "-1", "nan", "601", "0;2", "0,x", "1,2,3,4,5"})
    EXPECT_FALSE(parse_buffers(bad)) << bad;
}

}  // namespace
}  // namespace midinf::cli
