#include "base/pitch_names.h"

#include <gtest/gtest.h>

namespace midinf {
namespace {

TEST(TakePitchClass, TakesALetterAndItsAccidentals) {
  for (const auto& [text, expected] : std::initializer_list<std::pair<std::string_view, int>>{
           {"C", 0}, {"b", 11}, {"F#", 6}, {"Bb", 10}, {"bb", 10}, {"Cb", 11}, {"B#", 0}, {"ebb", 2}, {"g##", 9}}) {
    std::string_view rest = text;
    EXPECT_EQ(take_pitch_class(rest), expected) << text;
    EXPECT_TRUE(rest.empty()) << text;
  }
  for (const std::string_view text : {"", "h", " c", "#", "1"}) {
    std::string_view rest = text;
    EXPECT_EQ(take_pitch_class(rest), std::nullopt) << text;
    EXPECT_EQ(rest, text);
  }
}

TEST(TakeKey, TakesANumberOrANoteWithItsOctave) {
  for (const auto& [text, expected, left] :
       std::initializer_list<std::tuple<std::string_view, int, std::string_view>>{{"60", 60, ""},
                                                                                  {"C4-5", 60, "-5"},
                                                                                  {"C-1-G9", 0, "-G9"},
                                                                                  {"g9", 127, ""},
                                                                                  {"Bb3:", 58, ":"},
                                                                                  {"a0", 21, ""}}) {
    std::string_view rest = text;
    EXPECT_EQ(take_key(rest), expected) << text;
    EXPECT_EQ(rest, left);
  }
  for (const std::string_view text : {"", "C", "128", "-1", "G#9", "Cb-1", "C-2", "C99999999999", "c 4"}) {
    std::string_view rest = text;
    EXPECT_EQ(take_key(rest), std::nullopt) << text;
    EXPECT_EQ(rest, text);
  }
}

}  // namespace
}  // namespace midinf
