#include "roll_svg.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/general_midi.h"
#include "midi/smf_writer.h"
#include "midi_commands.h"
#include "terminal.h"
#include "xml_fault.h"

namespace midinf::cli {
namespace {

Note note(std::int64_t onset, std::int64_t duration, int instrument, int pitch, int velocity = kDefaultVelocity) {
  return {Ticks10ms(onset), Ticks10ms(duration), static_cast<std::uint8_t>(instrument),
          static_cast<std::uint8_t>(pitch), static_cast<std::uint8_t>(velocity)};
}

/// Small multiplicative generator: the same music on every machine.
class Dice {
 public:
  int below(int n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int>((state_ >> 33) % static_cast<std::uint64_t>(n));
  }

 private:
  std::uint64_t state_ = 1;
};

std::vector<Note> random_notes(int count, std::int64_t ticks, int instruments) {
  Dice dice;
  std::vector<Note> notes;
  for (int i = 0; i < count; ++i)
    notes.push_back(note(dice.below(static_cast<int>(ticks)), dice.below(400), dice.below(instruments), dice.below(128),
                         1 + dice.below(127)));
  return notes;
}

/// How many notes' shapes there are: rectangles of rounded pictures, strokes of plain ones.
std::size_t shapes_in(std::string_view svg) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = svg.find("<path ", at)) != svg.npos;) {
    const std::string_view tag = svg.substr(at, svg.find("/>", at) - at);
    at += tag.size();
    const std::string_view d = tag.substr(tag.find(" d=\"") + 4);
    if (tag.find("id=\"mr-n") != tag.npos) count += static_cast<std::size_t>(std::count(d.begin(), d.end(), 'z'));
    if (tag.find("opacity=") != tag.npos) count += static_cast<std::size_t>(std::count(d.begin(), d.end(), 'h'));
  }
  return count;
}

bool shows(std::string_view svg, std::string_view text) {
  return svg.find(text) != svg.npos;
}

TEST(XmlFault, SeesWhatIsWrong) {  // the checker below must be able to fail
  EXPECT_EQ(xml_fault("<a b=\"1\"><c/>x &amp; y</a>\n"), "");
  for (const std::string_view bad : {"<a>", "<a></b>", "<a b=1/>", "<a>&</a>", "<a>a > b</a>", "<a b=\"1\" b=\"2\"/>",
                                     "<a/><b/>", "<a b=\"<\"/>", "<a>\x01</a>", "<a b=\"1/>", ""})
    EXPECT_NE(xml_fault(bad), "") << bad;
}

TEST(RollSvg, IsWellFormedForEveryKindOfMusic) {
  const std::vector<std::vector<Note>> pieces = {
      {},
      {note(0, 100, 0, 60)},
      {note(0, 0, 0, 60), note(0, 0, 0, 60)},
      {note(100, 10, kDrums, 36), note(0, 10, kDrums, 127), note(50, 10, kDrums, 0)},
      {note(-500, 100, 0, 0), note(0, -5, 5, 127)},
      {note(std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max(), 3, 60),
       note(0, 1, 4, 60)},
      random_notes(500, 6000, kInstruments),
      random_notes(2000, 60000, kInstruments),
      random_notes(20000, 600000, kInstruments)};
  for (const auto& piece : pieces) {
    for (const std::int64_t prompt : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{3000}, std::int64_t{30000}}) {
      RollOptions options;
      if (prompt >= 0) options.prompt_end = Ticks10ms(prompt);
      const std::string svg = roll_svg(piece, options);
      EXPECT_EQ(xml_fault(svg), "") << piece.size() << " notes";
      EXPECT_FALSE(shows(svg, "nan") || shows(svg, "inf\"")) << piece.size() << " notes";
      EXPECT_TRUE(shows(svg, "<title") && shows(svg, "<desc"));
    }
  }
}

TEST(RollSvg, NamesEveryInstrument) {
  std::vector<Note> notes;
  for (int i = 0; i < kInstruments; ++i) notes.push_back(note(i * 40, 50, i, 40 + i % 50));
  const std::string svg = roll_svg(notes);
  const std::string_view legend = std::string_view(svg).substr(svg.find("</desc>"));
  for (int i = 0; i < kInstruments; ++i)
    EXPECT_TRUE(shows(legend, fmt::format(">{}<", instrument_name(i)))) << instrument_name(i);
}

TEST(RollSvg, PaintsEachInstrumentDifferently) {
  std::vector<Note> notes;
  for (int i = 0; i < kInstruments; ++i) notes.push_back(note(i * 40, 50, i, 40 + i % 50));
  const std::string svg = roll_svg(notes);
  std::set<std::string> paints, patterns;
  for (std::size_t at = 0; (at = svg.find("rx=\"3.5\" fill=\"", at)) != svg.npos; at += 15)
    paints.insert(svg.substr(at + 15, svg.find('"', at + 15) - at - 15));
  EXPECT_EQ(paints.size(), kInstruments);
  // Two patterns must differ in more than their names.
  for (std::size_t at = 0; (at = svg.find("<pattern id=", at)) != svg.npos; at += 12)
    patterns.insert(svg.substr(svg.find("width", at), svg.find("</pattern>", at) - svg.find("width", at)));
  EXPECT_EQ(patterns.size(), static_cast<std::size_t>(kInstruments - 1 - 16));
}

TEST(RollSvg, APianoIsBlueInAnyCompany) {
  const std::string alone = roll_svg(std::vector{note(0, 100, 0, 60)});
  const std::string together =
      roll_svg(std::vector{note(0, 100, 48, 60), note(0, 100, 48, 64), note(0, 100, 33, 40), note(0, 50, 0, 60)});
  for (const std::string_view svg : {std::string_view(alone), std::string_view(together)}) {
    const std::size_t name = svg.rfind(">Acoustic Grand Piano<");
    const std::size_t chip = svg.rfind("fill=\"", svg.rfind("<text", name));
    EXPECT_EQ(svg.substr(chip, 13), "fill=\"#5ea8f9");
  }
}

TEST(RollSvg, DrawsEachNoteOnce) {
  for (const int count : {1, 2, 700, 8000})
    EXPECT_EQ(shapes_in(roll_svg(random_notes(count, 5000, kInstruments))), count);
}

TEST(RollSvg, CutsANoteAtTheEndOfARow) {
  // 100 s are two rows of 50 s.
  EXPECT_EQ(shapes_in(roll_svg(std::vector{note(0, 100, 0, 60), note(9900, 100, 0, 60)})), 2u);
  EXPECT_EQ(shapes_in(roll_svg(std::vector{note(0, 100, 0, 60), note(4900, 200, 0, 64), note(9900, 100, 0, 60)})), 4u);
  EXPECT_EQ(shapes_in(roll_svg(std::vector{note(0, 5000, 0, 60), note(9900, 100, 0, 60)})), 2u);
}

TEST(RollSvg, IsOneRowForAMinuteAndAtMostSixForADay) {
  const auto rows = [](std::int64_t seconds) {
    const std::string svg = roll_svg(std::vector{note(0, 10, 0, 60), note(seconds * 100 - 10, 10, 0, 60)});
    int count = 0;
    for (std::size_t at = 0; (at = svg.find("<use href=\"#mr-row\"", at)) != svg.npos; ++at) ++count;
    return count;
  };
  EXPECT_EQ(rows(5), 1);
  EXPECT_EQ(rows(60), 1);
  EXPECT_EQ(rows(80), 1);
  EXPECT_EQ(rows(100), 2);
  EXPECT_EQ(rows(180), 3);
  EXPECT_EQ(rows(7200), 6);
  EXPECT_LE(rows(86400), 6);
}

TEST(RollSvg, TheOrderOfTheNotesDoesNotMatter) {
  for (const int count : {300, 3000, 20000}) {
    std::vector<Note> notes = random_notes(count, 6000, 5);
    const std::string svg = roll_svg(notes);
    std::reverse(notes.begin(), notes.end());
    EXPECT_EQ(roll_svg(notes), svg) << count;
  }
}

TEST(RollSvg, StaysSmall) {
  // A dense minute, some minutes, and what no reader can resolve any more.
  EXPECT_LT(roll_svg(random_notes(1000, 6000, 8)).size(), 60'000u);
  EXPECT_LT(roll_svg(random_notes(8000, 24000, 8)).size(), 300'000u);
  EXPECT_LT(roll_svg(random_notes(100'000, 720'000, kInstruments)).size(), 1'000'000u);
  EXPECT_LT(roll_svg(random_notes(300'000, 7'200'000, kInstruments)).size(), 1'000'000u);
}

TEST(RollSvg, SaysWhatItLeavesOut) {
  EXPECT_TRUE(shows(roll_svg(random_notes(100'000, 720'000, kInstruments)), "One in 2 is drawn"));
  EXPECT_FALSE(shows(roll_svg(random_notes(1000, 6000, 8)), "is drawn"));
}

TEST(RollSvg, EscapesAndCutsTheTitle) {
  RollOptions options;
  options.title = "<b>\"Rock & Roll\"</b> \x01\xff é 音楽";
  const std::string svg = roll_svg({}, options);
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_TRUE(shows(svg, "&lt;b&gt;\"Rock &amp; Roll\"&lt;/b&gt;  \uFFFD é 音楽"));
  options.title = std::string(1000, 'x');
  EXPECT_FALSE(shows(roll_svg({}, options), std::string(201, 'x')));
  options.title = "\xed\xa0\x80\xef\xbf\xbf\xc0\x80\xf8\x88";  // surrogate, noncharacter, overlong, no such lead
  EXPECT_EQ(xml_fault(roll_svg({}, options)), "");
  EXPECT_FALSE(shows(roll_svg({}, options), "\xed\xa0\x80"));
}

TEST(RollSvg, MarksWhereThePromptEnds) {
  const std::vector<Note> notes = {note(0, 1000, 0, 60), note(1000, 1000, 0, 62)};
  RollOptions options;
  EXPECT_FALSE(shows(roll_svg(notes, options), "prompt ends here"));
  options.prompt_end = Ticks10ms(1000);
  const std::string svg = roll_svg(notes, options);
  EXPECT_TRUE(shows(svg, "prompt ends here"));
  // 20 s from x = 86 to 1174: half of them.
  EXPECT_TRUE(shows(svg, "stroke-dasharray=\"5 3\" d=\"M630.0 "));
  options.prompt_end = Ticks10ms(1'000'000);
  EXPECT_FALSE(shows(roll_svg(notes, options), "prompt ends here"));
}

TEST(RollSvg, NamesTheDrums) {
  const std::string svg =
      roll_svg(std::vector{note(0, 10, kDrums, 36), note(10, 10, kDrums, 42), note(20, 10, kDrums, 90)});
  EXPECT_TRUE(shows(svg, ">Kick<") && shows(svg, ">Closed hi-hat<") && shows(svg, ">Key 90<"));
  EXPECT_FALSE(shows(svg, ">C4<")) << "no keys where nothing has a pitch";
  std::vector<Note> kit;
  for (int key = 0; key < 128; ++key) kit.push_back(note(key * 10, 10, kDrums, key));
  const std::string full = roll_svg(kit);
  for (const std::string_view family : {"Kick", "Snare", "Toms", "Hi-hat", "Cymbals", "Hand drums", "Percussion"})
    EXPECT_TRUE(shows(full, fmt::format(">{}<", family))) << family;
  EXPECT_EQ(shapes_in(full), 128u);
}

TEST(RollSvg, ADoubledNoteIsThinnerThanTheOneBelow) {
  const auto layers = [](const std::vector<Note>& notes) {
    const std::string svg = roll_svg(notes);
    std::set<std::string> heights;
    for (std::size_t at = 0; (at = svg.find("<path id=\"mr-n", at)) != svg.npos; ++at) {
      const std::size_t v = svg.find('v', at);
      heights.insert(svg.substr(v, svg.find('h', v) - v));
    }
    return heights.size();
  };
  EXPECT_EQ(layers({note(0, 100, 0, 60), note(200, 100, 40, 60)}), 1u);
  EXPECT_EQ(layers({note(0, 100, 0, 60), note(50, 100, 40, 60)}), 2u);
  EXPECT_EQ(layers({note(0, 100, 0, 60), note(0, 100, 40, 60)}), 2u);
  EXPECT_EQ(layers({note(0, 100, 0, 60), note(0, 100, 40, 61)}), 1u);
}

TEST(RollCommand, ReportsAsJsonBesideThePicture) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("midinf_roll_command_{}", ::getpid());
  std::filesystem::create_directories(folder);
  const std::string midi = folder / "song.mid", picture = folder / "song.svg";
  const std::vector notes = {note(0, 50, kDrums, 36), note(100, 150, 40, 70), note(0, 100, 40, 60)};
  ASSERT_TRUE(write_file_whole(midi, write_midi(notes).bytes));

  testing::internal::CaptureStdout();
  EXPECT_EQ(run_roll({.file = midi, .output = picture, .json = true}), kDone);
  const auto report = nlohmann::json::parse(testing::internal::GetCapturedStdout());
  EXPECT_EQ(report, nlohmann::json({{"file", midi},
                                    {"roll", picture},
                                    {"notes", 3},
                                    {"seconds", 2.5},
                                    {"instruments", {40, kDrums}},
                                    {"parts",
                                     {{{"instrument", 40}, {"name", "Violin"}, {"notes", 2}},
                                      {{"instrument", kDrums}, {"name", "Drums"}, {"notes", 1}}}}}));

  // Where the picture takes standard output, the report goes to standard error.
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_roll({.file = midi, .output = "-", .json = true}), kDone);
  const std::string svg = testing::internal::GetCapturedStdout();
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_EQ(nlohmann::json::parse(testing::internal::GetCapturedStderr())["roll"], "-");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace midinf::cli
