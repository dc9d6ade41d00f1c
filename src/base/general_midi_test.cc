#include "base/general_midi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace midinf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<int> found(std::string_view text) {
  const auto instruments = find_instruments(text);
  return instruments ? *instruments : std::vector<int>{};
}

TEST(GeneralMidi, NamesStandAtTheirPrograms) {
  EXPECT_EQ(instrument_name(0), "Acoustic Grand Piano");
  EXPECT_EQ(instrument_name(24), "Nylon Guitar");
  EXPECT_EQ(instrument_name(33), "Fingered Bass");
  EXPECT_EQ(instrument_name(40), "Violin");
  EXPECT_EQ(instrument_name(56), "Trumpet");
  EXPECT_EQ(instrument_name(73), "Flute");
  EXPECT_EQ(instrument_name(104), "Sitar");
  EXPECT_EQ(instrument_name(127), "Gunshot");
  EXPECT_EQ(instrument_name(kDrums), "Drums");
}

TEST(GeneralMidi, FamiliesHoldEightProgramsEach) {
  EXPECT_EQ(instrument_family(7), "Piano");
  EXPECT_EQ(instrument_family(8), "Chromatic Percussion");
  EXPECT_EQ(instrument_family(39), "Bass");
  EXPECT_EQ(instrument_family(127), "Sound Effects");
  EXPECT_EQ(instrument_family(kDrums), "Drums");
}

TEST(GeneralMidi, EveryNameIsItsOwnAndFindsItsInstrumentAlone) {
  std::set<std::string_view> names;
  for (int i = 0; i < kInstruments; ++i) {
    EXPECT_TRUE(names.insert(instrument_name(i)).second) << instrument_name(i) << " twice";
    EXPECT_THAT(found(instrument_name(i)), ElementsAre(i)) << instrument_name(i);
  }
}

TEST(FindInstruments, ReadsNumbers) {
  EXPECT_THAT(found("0"), ElementsAre(0));
  EXPECT_THAT(found("33"), ElementsAre(33));
  EXPECT_THAT(found(" 127 "), ElementsAre(127));
  EXPECT_THAT(found("128"), ElementsAre(kDrums));
}

TEST(FindInstruments, RefusesNumbersThatNameNoInstrument) {
  for (const char* text : {"129", "1000", "99999999999999999999", "-1", "+1", "1.5", "0x10"}) {
    const auto instruments = find_instruments(text);
    ASSERT_FALSE(instruments.has_value()) << text;
    EXPECT_EQ(instruments.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_THAT(instruments.error().to_string(), HasSubstr(text));
    EXPECT_THAT(instruments.error().message, HasSubstr("128"));
  }
}

TEST(FindInstruments, IgnoresCaseSpacesAndPunctuation) {
  EXPECT_THAT(found("violin"), ElementsAre(40));
  EXPECT_THAT(found("ACOUSTIC grand-piano"), ElementsAre(0));
  EXPECT_THAT(found("honky tonk piano"), ElementsAre(3));
  EXPECT_THAT(found(" sci fi "), ElementsAre(103));
}

TEST(FindInstruments, ReadsFamiliesInSingularAndPlural) {
  const std::vector<int> strings = {40, 41, 42, 43, 44, 45, 46, 47};
  EXPECT_EQ(found("strings"), strings);
  EXPECT_EQ(found("string"), strings);
  EXPECT_THAT(found("pianos"), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(found("bass"), ElementsAre(32, 33, 34, 35, 36, 37, 38, 39));
  EXPECT_THAT(found("drums"), ElementsAre(kDrums));
  EXPECT_THAT(found("drum"), ElementsAre(kDrums));
}

TEST(FindInstruments, AWholeNameWinsOverAPartAndAFamilyOverAPart) {
  EXPECT_THAT(found("flute"), ElementsAre(73)) << "not the pan flute as well";
  EXPECT_THAT(found("piano"), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7)) << "the family, with the harpsichord";
  EXPECT_THAT(found("sax"), ElementsAre(64, 65, 66, 67));
  EXPECT_THAT(found("synth bass"), ElementsAre(38, 39));
}

TEST(FindInstruments, SaysWhatToTypeWhenNothingMatches) {
  for (const char* text : {"", " ", "--", "theremin", "pianoforte", "\xc3\xa9"}) {
    const auto instruments = find_instruments(text);
    ASSERT_FALSE(instruments.has_value()) << text;
    EXPECT_EQ(instruments.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(instruments.error().message, HasSubstr("violin"));
  }
}

}  // namespace
}  // namespace midinf
