#include "render_wav.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numbers>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"

namespace midinf::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

/// Bytes of a chunked file, little endian (RIFF) or big endian (MIDI).
struct Bytes {
  std::string data;
  Bytes& text(std::string_view t) { return data += t, *this; }
  Bytes& little(std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) data += static_cast<char>(value >> (8 * i));
    return *this;
  }
  Bytes& big(std::uint32_t value, int bytes) {
    for (int i = bytes; i-- > 0;) data += static_cast<char>(value >> (8 * i));
    return *this;
  }
  Bytes& zeros(int count) { return data.append(static_cast<std::size_t>(count), '\0'), *this; }
  Bytes& name(std::string_view n) { return text(n).zeros(20 - static_cast<int>(n.size())); }
};

std::string chunk(std::string_view id, const std::string& content) {
  return Bytes().text(id).little(static_cast<std::uint32_t>(content.size()), 4).text(content).data;
}

/// The smallest useful soundfont: one preset, a looped sine that is A4 at key 69 and, when released, falls by 100 dB in
/// 2^octaves seconds.
std::string sine_soundfont(int octaves = 0) {
  constexpr int kFrames = 1000, kCycle = 100;
  Bytes samples;
  for (int i = 0; i < kFrames; ++i)
    samples.little(static_cast<std::uint32_t>(std::lround(20000 * std::sin(2 * std::numbers::pi * i / kCycle))), 2);
  samples.zeros(2 * 46);
  const std::string info = chunk("ifil", Bytes().little(2, 2).little(1, 2).data) +
                           chunk("isng", Bytes().text("EMU8000").zeros(1).data) +
                           chunk("INAM", Bytes().text("sine").zeros(2).data);
  Bytes phdr, pbag, pgen, inst, ibag, igen, shdr;
  phdr.name("Sine").little(0, 2).little(0, 2).little(0, 2).zeros(12);
  phdr.name("EOP").little(0, 2).little(0, 2).little(1, 2).zeros(12);
  pbag.little(0, 2).little(0, 2).little(1, 2).little(0, 2);
  constexpr std::uint32_t kInstrument = 41, kSampleModes = 54, kRelease = 38, kSampleId = 53;
  pgen.little(kInstrument, 2).little(0, 2).zeros(4);
  inst.name("Sine").little(0, 2).name("EOI").little(1, 2);
  ibag.little(0, 2).little(0, 2).little(3, 2).little(0, 2);
  igen.little(kRelease, 2)
      .little(static_cast<std::uint32_t>(1200 * octaves), 2)
      .little(kSampleModes, 2)
      .little(1, 2)
      .little(kSampleId, 2)
      .little(0, 2)
      .zeros(4);
  shdr.name("Sine").little(0, 4).little(kFrames, 4).little(kCycle, 4).little(kFrames - kCycle, 4).little(44100, 4);
  shdr.little(69, 1).little(0, 1).little(0, 2).little(1, 2).name("EOS").zeros(26);
  const std::string pdta = chunk("phdr", phdr.data) + chunk("pbag", pbag.data) + chunk("pmod", std::string(10, '\0')) +
                           chunk("pgen", pgen.data) + chunk("inst", inst.data) + chunk("ibag", ibag.data) +
                           chunk("imod", std::string(10, '\0')) + chunk("igen", igen.data) + chunk("shdr", shdr.data);
  return chunk("RIFF", "sfbk" + chunk("LIST", "INFO" + info) + chunk("LIST", "sdta" + chunk("smpl", samples.data)) +
                           chunk("LIST", "pdta" + pdta));
}

/// A MIDI file whose ticks are milliseconds; `events` are delta times and messages.
std::string midi_file(const std::vector<std::pair<std::uint32_t, std::string>>& events, std::uint32_t rest_at_end = 0) {
  Bytes track;
  const auto variable = [&](std::uint32_t value) {
    for (int shift = 21; shift > 0; shift -= 7)
      if (value >> shift) track.big(((value >> shift) & 0x7F) | 0x80, 1);
    track.big(value & 0x7F, 1);
  };
  for (const auto& [delta, message] : events) {
    variable(delta);
    track.text(message);
  }
  variable(rest_at_end);
  track.text(std::string_view("\xFF\x2F\x00", 3));
  return Bytes()
      .text("MThd")
      .big(6, 4)
      .big(0, 2)
      .big(1, 2)
      .big(500, 2)
      .text("MTrk")
      .big(static_cast<std::uint32_t>(track.data.size()), 4)
      .text(track.data)
      .data;
}

std::string message(int status, int first, int second) {
  return {static_cast<char>(status), static_cast<char>(first), static_cast<char>(second)};
}

/// Keys half a second each, one after the other.
std::string melody(const std::vector<int>& keys) {
  std::vector<std::pair<std::uint32_t, std::string>> events;
  for (const int key : keys) {
    events.emplace_back(0, message(0x90, key, 100));
    events.emplace_back(500, message(0x80, key, 0));
  }
  return midi_file(events);
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// A WAV file taken apart without the code under test.
struct Wav {
  std::uint32_t rate = 0;
  std::vector<std::int16_t> left, right;

  [[nodiscard]] double seconds() const { return static_cast<double>(left.size()) / rate; }
  [[nodiscard]] int peak(double from = 0, double to = 1e9) const {
    int most = 0;
    for (std::size_t i = 0; i < left.size(); ++i) {
      const double at = static_cast<double>(i) / rate;
      if (at >= from && at < to) most = std::max({most, std::abs(left[i]), std::abs(right[i])});
    }
    return most;
  }
  /// Of a steady tone between two times.
  [[nodiscard]] double hertz(double from, double to) const {
    int rises = 0;
    for (auto i = static_cast<std::size_t>(from * rate); i + 1 < static_cast<std::size_t>(to * rate); ++i)
      if (left[i] < 0 && left[i + 1] >= 0) ++rises;
    return rises / (to - from);
  }
};

Wav parse_wav(const std::string& path) {
  Wav wav;
  const auto file = read_file(path, 1 << 30);
  EXPECT_TRUE(file) << path;
  if (!file || file->size() < 44) return wav;
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<std::uint32_t>((*file)[at + i]);
    return value;
  };
  const std::string_view text(reinterpret_cast<const char*>(file->data()), file->size());
  EXPECT_EQ(text.substr(0, 4), "RIFF");
  EXPECT_EQ(number(4, 4), file->size() - 8);
  EXPECT_EQ(text.substr(8, 8), "WAVEfmt ");
  EXPECT_EQ(number(16, 4), 16u);
  EXPECT_EQ(number(20, 2), 1u);
  EXPECT_EQ(number(22, 2), 2u);
  wav.rate = number(24, 4);
  EXPECT_EQ(number(28, 4), wav.rate * 4);
  EXPECT_EQ(number(32, 2), 4u);
  EXPECT_EQ(number(34, 2), 16u);
  EXPECT_EQ(text.substr(36, 4), "data");
  EXPECT_EQ(number(40, 4), file->size() - 44);
  for (std::size_t at = 44; at + 4 <= file->size(); at += 4) {
    wav.left.push_back(static_cast<std::int16_t>(number(at, 2)));
    wav.right.push_back(static_cast<std::int16_t>(number(at + 2, 2)));
  }
  return wav;
}

class RenderWav : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!can_render_wav()) GTEST_SKIP() << "built without FluidSynth";
    std::string name = (fs::temp_directory_path() / "midinf-wav-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    options_.soundfont = (folder_ / "sine.sf2").string();
    ASSERT_TRUE(write_file_whole(options_.soundfont, sine_soundfont()));
    ::unsetenv("MIDINFINITE_SOUNDFONT");
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  [[nodiscard]] std::string path(std::string_view name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  Result<RenderReport> render(const std::string& midi, std::string_view name = "out.wav") {
    return render_wav(bytes_of(midi), path(name), options_);
  }

  fs::path folder_;
  RenderOptions options_;
};

TEST_F(RenderWav, AScaleSounds) {
  const auto report = render(melody({69, 71, 72, 74, 76, 77, 79, 81}));
  ASSERT_TRUE(report) << report.error().to_string();
  const Wav wav = parse_wav(path("out.wav"));
  EXPECT_EQ(wav.rate, 44100u);
  EXPECT_NEAR(20 * std::log10(wav.peak() / 32767.0), -1.0, 0.1);
  EXPECT_NEAR(report->peak_dbfs, -1.0, 0.1);
  EXPECT_GT(report->rms_dbfs, -20);
  EXPECT_LT(report->rms_dbfs, -3);
  for (int i = 0; i < 8; ++i) EXPECT_GT(wav.peak(i * 0.5, i * 0.5 + 0.5), 10000) << "note " << i;
  EXPECT_NEAR(wav.hertz(0.1, 0.4), 441, 5);  // only the first note: later ones ring together
  EXPECT_TRUE(report->complete);
  EXPECT_EQ(report->soundfont, fs::canonical(options_.soundfont).string());
  EXPECT_DOUBLE_EQ(report->duration.count(), wav.seconds());
  EXPECT_EQ(files(), (std::vector<std::string>{"out.wav", "sine.sf2"}));
}

TEST_F(RenderWav, KeepsTheReleaseAndCutsTheSilence) {
  // The soundfont's release falls by 100 dB in a second, so 66 dB in 0.66 s; the room adds a little. Then five seconds
  // of rest.
  const std::string song = midi_file({{0, message(0x90, 69, 100)}, {1000, message(0x80, 69, 0)}}, 5000);
  ASSERT_TRUE(render(song));
  const Wav wav = parse_wav(path("out.wav"));
  EXPECT_GT(wav.peak(1.1, 1.2), 300);
  EXPECT_GT(wav.seconds(), 1.5);
  EXPECT_LT(wav.seconds(), 3.0);
  EXPECT_LT(wav.peak(wav.seconds() - 0.002), 4) << "no click at the end";
}

TEST_F(RenderWav, WaitsForALongRelease) {
  // 66 dB of an eight-second release take 5.3 s; the player itself waits for about two.
  ASSERT_TRUE(write_file_whole(options_.soundfont, sine_soundfont(3)));
  const auto report = render(melody({69}));
  ASSERT_TRUE(report);
  EXPECT_GT(report->duration.count(), 5.0);
  EXPECT_LT(report->duration.count(), 7.0);
}

TEST_F(RenderWav, QuietAndLoudSongsEndEquallyLoud) {
  const auto song = [](int velocity, int keys) {
    std::vector<std::pair<std::uint32_t, std::string>> events;
    for (int key = 0; key < keys; ++key) events.emplace_back(0, message(0x90, 40 + key, velocity));
    for (int key = 0; key < keys; ++key) events.emplace_back(key == 0 ? 500 : 0, message(0x80, 40 + key, 0));
    return midi_file(events);
  };
  for (const auto& [velocity, keys] : {std::pair(1, 1), std::pair(64, 3), std::pair(127, 60)}) {
    const auto report = render(song(velocity, keys));
    ASSERT_TRUE(report);
    EXPECT_NEAR(report->peak_dbfs, -1.0, 0.1) << velocity;
  }
  options_.peak_dbfs = -12;
  EXPECT_NEAR(render(song(64, 1))->peak_dbfs, -12.0, 0.1);
}

TEST_F(RenderWav, SilenceStaysSilence) {
  const auto empty = render(midi_file({}));
  ASSERT_TRUE(empty) << empty.error().to_string();
  EXPECT_NEAR(empty->duration.count(), 0.1, 0.05);
  EXPECT_EQ(parse_wav(path("out.wav")).peak(), 0);
  EXPECT_TRUE(std::isinf(empty->peak_dbfs) && empty->peak_dbfs < 0);
  EXPECT_TRUE(std::isinf(empty->rms_dbfs) && empty->rms_dbfs < 0);
  EXPECT_NEAR(render(midi_file({}, 3000))->duration.count(), 3.0, 0.05);
  EXPECT_EQ(parse_wav(path("out.wav")).peak(), 0);
}

TEST_F(RenderWav, TheSameSongGivesTheSameFile) {
  ASSERT_TRUE(render(melody({60, 64, 67}), "a.wav"));
  ASSERT_TRUE(render(melody({60, 64, 67}), "b.wav"));
  EXPECT_EQ(*read_file(path("a.wav"), 1 << 30), *read_file(path("b.wav"), 1 << 30));
}

TEST_F(RenderWav, RendersAtOtherRates) {
  options_.sample_rate = 22050;
  ASSERT_TRUE(render(melody({69})));
  const Wav wav = parse_wav(path("out.wav"));
  EXPECT_EQ(wav.rate, 22050u);
  EXPECT_NEAR(wav.hertz(0.1, 0.4), 441, 5);
}

TEST_F(RenderWav, TellsProgressAndStopsWhenAsked) {
  std::vector<double> told;
  options_.progress = [&](double fraction) { return told.push_back(fraction), true; };
  const auto whole = render(melody({60, 62, 64, 65}));
  ASSERT_TRUE(whole);
  EXPECT_GT(told.size(), 20u);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_GE(told.front(), 0);
  EXPECT_DOUBLE_EQ(told.back(), 1);

  options_.progress = [](double fraction) { return fraction < 0.5; };
  const auto part = render(melody({60, 62, 64, 65}));
  ASSERT_TRUE(part);
  EXPECT_FALSE(part->complete);
  EXPECT_NEAR(part->duration.count(), 2 * 0.5 / 0.95, 0.1);
  EXPECT_NEAR(parse_wav(path("out.wav")).seconds(), part->duration.count(), 1e-9);
}

TEST_F(RenderWav, APlaceThatCannotBeWrittenIsAnErrorAndLeavesNothing) {
  const auto nowhere = render(melody({60}), "no/such/folder/out.wav");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::kIo);
  EXPECT_THAT(nowhere.error().to_string(), HasSubstr("no/such/folder/out.wav"));
  ASSERT_TRUE(fs::create_directory(folder_ / "folder"));
  const auto folder = render(melody({60}), "folder");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::kIo);
  EXPECT_EQ(files(), (std::vector<std::string>{"folder", "sine.sf2"}));
  EXPECT_TRUE(fs::is_empty(folder_ / "folder"));
}

TEST_F(RenderWav, AFailureLeavesTheOldFileAlone) {
  ASSERT_TRUE(write_file_whole(path("out.wav"), std::string_view("old")));
  for (const std::string& song :
       {std::string("not a song"), std::string("MThd\0\0\0\6rubbish", 15), melody({60}).substr(0, 20)}) {
    const auto failed = render(song);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt) << failed.error().to_string();
  }
  options_.longest = Seconds(1);
  const auto too_long = render(melody({60, 62, 64, 65}));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(read_file(path("out.wav"), 100)->size(), 3u);
  EXPECT_EQ(files(), (std::vector<std::string>{"out.wav", "sine.sf2"}));
}

TEST_F(RenderWav, RefusesSenselessOptions) {
  const auto code = [&](auto change) {
    RenderOptions options = options_;
    change(options);
    const auto result = render_wav(bytes_of(melody({60})), path("out.wav"), options);
    return result ? -1 : static_cast<int>(result.error().code);
  };
  constexpr int kInvalid = static_cast<int>(ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](RenderOptions& o) { o.sample_rate = 0; }), kInvalid);
  EXPECT_EQ(code([](RenderOptions& o) { o.peak_dbfs = 1; }), kInvalid);
  EXPECT_EQ(code([](RenderOptions& o) { o.peak_dbfs = std::nan(""); }), kInvalid);
  EXPECT_EQ(code([](RenderOptions& o) { o.longest = Seconds(std::nan("")); }), kInvalid);
}

TEST_F(RenderWav, ABadSoundfontIsAnErrorAndNotNoiseOnTheTerminal) {
  // Nothing like a soundfont, one that was cut off, and one whose inside makes no sense.
  const std::string whole = sine_soundfont();
  std::string senseless = whole;
  senseless.replace(senseless.find("shdr"), 4, "shdx");
  for (const std::string& bad :
       {std::string("this is no soundfont"), whole.substr(0, 1500), std::string(), senseless}) {
    options_.soundfont = path("bad.sf2");
    ASSERT_TRUE(write_file_whole(options_.soundfont, std::string_view(bad)));
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const auto failed = render(melody({60}));
    const std::string said = ::testing::internal::GetCapturedStdout() + ::testing::internal::GetCapturedStderr();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(failed.error().to_string(), HasSubstr("bad.sf2: "));
    EXPECT_FALSE(failed.error().message.ends_with(": "));
    // A FluidSynth that was built with libinstpatch lets that library print one line of its own.
    if (bad != senseless) {
      EXPECT_EQ(said, "");
    }
    EXPECT_THAT(said, Not(HasSubstr("fluidsynth")));
  }
  EXPECT_EQ(files(), (std::vector<std::string>{"bad.sf2", "sine.sf2"}));
}

TEST_F(RenderWav, AMissingSoundfontIsNamed) {
  options_.soundfont = path("none.sf3");
  const auto failed = render(melody({60}));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(failed.error().to_string(), HasSubstr("none.sf3"));
}

TEST_F(RenderWav, TheInstalledSoundfontPlaysPianoAndDrums) {
  options_.soundfont.clear();
  const std::vector<std::string> folders = soundfont_folders();
  if (!find_soundfont("", folders)) GTEST_SKIP() << "no General MIDI soundfont is installed";
  const auto report = render(midi_file({{0, message(0x90, 60, 90)},
                                        {500, message(0x80, 60, 0)},
                                        {500, message(0x99, 38, 90)},
                                        {100, message(0x89, 38, 0)}}));
  ASSERT_TRUE(report) << report.error().to_string();
  const Wav wav = parse_wav(path("out.wav"));
  EXPECT_GT(wav.peak(0, 0.5), 1000);
  EXPECT_GT(wav.peak(1.0, 1.2), 1000);
  EXPECT_NEAR(report->peak_dbfs, -1.0, 0.1);
}

class FindSoundfont : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "midinf-sf-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    fs::create_directories(folder_ / "a");
    fs::create_directories(folder_ / "b");
    folders_ = {(folder_ / "missing").string(), (folder_ / "a").string(), (folder_ / "b").string()};
    ::unsetenv("MIDINFINITE_SOUNDFONT");
  }
  void TearDown() override {
    ::unsetenv("MIDINFINITE_SOUNDFONT");
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  std::string add(std::string_view name) {
    const std::string path = (folder_ / name).string();
    EXPECT_TRUE(write_file_whole(path, std::string_view("font")));
    return path;
  }
  std::string best() {
    const auto found = find_soundfont("", folders_);
    return found ? *found : "";
  }

  fs::path folder_;
  std::vector<std::string> folders_;
};

TEST_F(FindSoundfont, PrefersTheMuseScoreFontWhereverItLies) {
  add("a/other.sf2");
  EXPECT_EQ(best(), "");
  const std::string system = add("a/default-GM.sf3");
  EXPECT_EQ(best(), system);
  const std::string fluid = add("b/FluidR3_GM.sf2");
  EXPECT_EQ(best(), fluid);
  const std::string lite = add("b/MuseScore_General_Lite.sf3");
  EXPECT_EQ(best(), lite);
  const std::string full = add("b/MuseScore_General.sf3");
  EXPECT_EQ(best(), full);
}

TEST_F(FindSoundfont, WhatWasAskedForWinsOrIsAnError) {
  const std::string system = add("a/MuseScore_General.sf3"), mine = add("mine.sf2"), other = add("other.sf2");
  ::setenv("MIDINFINITE_SOUNDFONT", mine.c_str(), 1);
  EXPECT_EQ(best(), mine);
  EXPECT_EQ(*find_soundfont(other, folders_), other);
  ::setenv("MIDINFINITE_SOUNDFONT", "/no/such.sf2", 1);
  const auto failed = find_soundfont("", folders_);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(failed.error().to_string(), HasSubstr("/no/such.sf2"));
  EXPECT_THAT(failed.error().to_string(), HasSubstr("MIDINFINITE_SOUNDFONT"));
  ::setenv("MIDINFINITE_SOUNDFONT", "", 1);
  EXPECT_EQ(best(), system);
  EXPECT_EQ(find_soundfont(folders_[1], folders_).error().code, ErrorCode::kNotFound) << "a folder is no soundfont";
}

TEST_F(FindSoundfont, SaysWhatToInstall) {
  const auto failed = find_soundfont("", folders_);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(failed.error().message, HasSubstr("apt-get install musescore-general-soundfont-small"));
}

TEST(RenderWavWithoutFluidSynth, SaysHowToGetIt) {
  if (can_render_wav()) GTEST_SKIP() << "built with FluidSynth";
  const auto failed = render_wav({}, "out.wav");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(failed.error().message, HasSubstr("libfluidsynth-dev"));
}

}  // namespace
}  // namespace midinf::cli
