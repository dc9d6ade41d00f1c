// Text that is read, and text that is refused where it is wrong.
#include "tokens/triplet_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokens/triplets.h"

namespace midinf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string error_of(std::string_view text) {
  const auto triplets = triplets_from_text(text);
  if (triplets) return "read";
  EXPECT_EQ(triplets.error().code, ErrorCode::kCorrupt);
  return triplets.error().to_string();
}

TEST(TripletText, WhatIsWrittenIsReadBack) {
  const std::vector<Triplet> triplets{
      {0, 10'050, 11'060}, kSeparatorTriplet, {123'456'789, 10'999, kRest}, {27'513, 37'513, 38'513}};
  EXPECT_EQ(to_text(triplets), "0 10050 11060\n55025 55025 55025\n123456789 10999 27512\n27513 37513 38513\n");
  EXPECT_EQ(*triplets_from_text(to_text(triplets)), triplets);
}

TEST(TripletText, BlankLinesCommentsAndCarriageReturnsPass) {
  EXPECT_THAT(*triplets_from_text("# a song\r\n\r\n \t\n  0\t10050  11060 \r\n1 10050 11061# the last one"),
              ElementsAre(Triplet{0, 10'050, 11'060}, Triplet{1, 10'050, 11'061}));
  EXPECT_THAT(*triplets_from_text(""), IsEmpty());
  EXPECT_THAT(*triplets_from_text("\n\n#"), IsEmpty());
}

TEST(TripletText, ErrorsNameTheLineAndWhatStandsThere) {
  for (const char* line : {"1 10050", "1 10050 11060 4", "1 10050 x", "1,10050,11060", "1 10050 11060x",
                           "1.0 10050 11060", "99999999999 10050 11060", "+1 10050 11060", "one"})
    EXPECT_THAT(error_of(std::string("0 10050 11060\n\n") + line + "\n"),
                AllOf(StartsWith("line 3: '"), HasSubstr(std::string(line) + "' is no triplet")));
  EXPECT_THAT(error_of("0 10050 11060\n5 5 5"), StartsWith("line 2: 5 5 5 is not an event"));
  EXPECT_THAT(error_of("-1 10050 11060"), StartsWith("line 1: -1 10050 11060 is not an event"));
  EXPECT_THAT(error_of("999999999 10050 11060\n55025 55025 55025\n1000 10000 11060"),
              AllOf(StartsWith("line 3: "), HasSubstr("more than 115 days")));
  EXPECT_LT(error_of(std::string(100'000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace midinf
