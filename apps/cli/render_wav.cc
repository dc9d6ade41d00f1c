// Two passes: FluidSynth plays the song into a nameless temporary file of floats while the peak is measured; then the
// frames are scaled, dithered and written as 16-bit WAV. The header (44 bytes) is written here, because its sizes are
// known before the first sample: a plain forward stream also goes to a pipe, and no second library is needed.
#include "render_wav.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#ifdef MIDINF_HAVE_FLUIDSYNTH
#include <fluidsynth.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>

#include "base/bytes.h"
#include "base/file.h"
#endif

namespace midinf::cli {

namespace fs = std::filesystem;

bool can_render_wav() {
#ifdef MIDINF_HAVE_FLUIDSYNTH
  return true;
#else
  return false;
#endif
}

std::vector<std::string> soundfont_folders() {
  std::vector<std::string> folders;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    folders.push_back(fmt::format("{}/.local/share/soundfonts", home));
  for (const char* prefix : {"/usr/local/share", "/usr/share", "/opt/homebrew/share"})
    for (const char* folder : {"sounds/sf3", "sounds/sf2", "soundfonts"})
      folders.push_back(fmt::format("{}/{}", prefix, folder));
  return folders;
}

Result<std::string> find_soundfont(const std::string& wanted, std::span<const std::string> folders) {
  std::error_code ignored;
  if (!wanted.empty()) {
    if (fs::is_regular_file(wanted, ignored)) return wanted;
    return fail(ErrorCode::kNotFound, "there is no such soundfont; check the name", wanted);
  }
  if (const char* named = std::getenv("MIDINFINITE_SOUNDFONT"); named != nullptr && *named != '\0') {
    if (fs::is_regular_file(named, ignored)) return std::string(named);
    return fail(ErrorCode::kNotFound, "MIDINFINITE_SOUNDFONT names no file; correct or unset it", named);
  }
  struct Preference {
    std::string_view start;
    std::string_view end;
  };
  constexpr Preference kPreferences[] = {
      {"MuseScore_General", ".sf3"}, {"MuseScore_General", ".sf2"}, {"FluidR3", ".sf3"}, {"FluidR3", ".sf2"},
      {"default-GM", ".sf3"},        {"default-GM", ".sf2"},        {"default", ".sf2"}};
  for (const auto& [start, end] : kPreferences) {
    for (const std::string& folder : folders) {
      std::vector<std::string> found;
      for (auto entry = fs::directory_iterator(folder, ignored); entry != fs::directory_iterator();
           entry.increment(ignored)) {
        const std::string name = entry->path().filename().string();
        if (name.starts_with(start) && name.ends_with(end) && entry->is_regular_file(ignored))
          found.push_back(entry->path().string());
      }
      // The plain name sorts before its variants: MuseScore_General.sf3, then MuseScore_General_Lite.sf3.
      if (!found.empty()) return *std::min_element(found.begin(), found.end());
    }
  }
  return fail(
      ErrorCode::kNotFound,
      "no General MIDI soundfont found; install one (Debian: apt-get install musescore-general-soundfont-small) or "
      "name one in MIDINFINITE_SOUNDFONT");
}

#ifndef MIDINF_HAVE_FLUIDSYNTH

Result<RenderReport> render_wav(std::span<const std::byte>, const std::string& wav_path, const RenderOptions&) {
  return fail(
      ErrorCode::kUnsupported,
      "this program was built without FluidSynth and cannot make a WAV; install libfluidsynth-dev and build again, "
      "or open the MIDI file in any player",
      wav_path);
}

#else

namespace {

constexpr int kChannels = 2;
constexpr int kBlockFrames = 1024;
constexpr double kFullScale = 32767;
constexpr std::uint64_t kWavHeaderBytes = 44;
constexpr std::uint64_t kWavMaxDataBytes = 0xFFFFFFFF - kWavHeaderBytes;
constexpr double kSilence = 1e-6;           // FluidSynth's reverb keeps humming at some 1e-8
constexpr double kAudibleBelowPeak = 5e-4;  // -66 dB: what trails off below it is cut
constexpr double kTailSeconds = 10;         // the longest release that is waited for
constexpr double kFadeSeconds = 0.03;       // at the cut
constexpr double kShortestSeconds = 0.1;    // players stumble over a WAV without frames
constexpr double kFirstPassShare = 0.95;    // of the time

/// While it lives, FluidSynth's messages come here instead of standard error. FluidSynth has one log for the process.
class LogCapture {
 public:
  LogCapture() {
    for (int level = 0; level < LAST_LOG_LEVEL; ++level)
      before_[static_cast<std::size_t>(level)] = fluid_set_log_function(level, &LogCapture::receive, this);
  }
  ~LogCapture() {
    for (int level = 0; level < LAST_LOG_LEVEL; ++level)
      fluid_set_log_function(level, before_[static_cast<std::size_t>(level)], nullptr);
  }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// The first error since the last call, or nothing.
  std::string take_error() { return std::exchange(error_, {}); }

 private:
  static void receive(int level, const char* message, void* self) {
    auto& error = static_cast<LogCapture*>(self)->error_;
    if (level <= FLUID_ERR && error.empty()) error = message;
  }
  std::array<fluid_log_function_t, LAST_LOG_LEVEL> before_{};
  std::string error_;
};

struct Delete {
  void operator()(fluid_settings_t* settings) const { delete_fluid_settings(settings); }
  void operator()(fluid_synth_t* synth) const { delete_fluid_synth(synth); }
  void operator()(fluid_player_t* player) const { delete_fluid_player(player); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
template <class T>
using Owned = std::unique_ptr<T, Delete>;

/// Stereo frames on disk, in a file that has no name any more and so vanishes with the program whatever happens.
class Spool {
 public:
  static Result<Spool> create(const std::string& wav_path) {
    // Beside the WAV, where its room is needed anyway; what is no plain file has no beside.
    std::error_code ignored;
    const fs::file_status status =
        wav_path == "-" ? fs::file_status(fs::file_type::fifo) : fs::status(wav_path, ignored);
    if (fs::is_directory(status)) return fail(ErrorCode::kIo, "this is a folder; name a file", wav_path);
    const bool beside = !fs::exists(status) || fs::is_regular_file(status);
    std::string name = beside ? wav_path : (fs::temp_directory_path(ignored) / "midinfinite").string();
    name += ".part-XXXXXX";
    const int descriptor = ::mkstemp(name.data());
    if (descriptor < 0) return trouble(wav_path, "create the file", errno);
    ::unlink(name.c_str());
    Owned<std::FILE> file(::fdopen(descriptor, "w+b"));
    if (file == nullptr) {
      ::close(descriptor);
      return trouble(wav_path, "create the file", ENOMEM);
    }
    return Spool(std::move(file), wav_path);
  }

  Result<void> write(std::span<const float> samples) {
    if (std::fwrite(samples.data(), sizeof(float), samples.size(), file_.get()) == samples.size()) return {};
    return trouble(wav_path_, "keep the rendered sound", errno);
  }
  Result<void> rewind() {
    if (std::fflush(file_.get()) == 0 && std::fseek(file_.get(), 0, SEEK_SET) == 0) return {};
    return trouble(wav_path_, "keep the rendered sound", errno);
  }
  Result<void> read(std::span<float> samples) {
    if (std::fread(samples.data(), sizeof(float), samples.size(), file_.get()) == samples.size()) return {};
    return trouble(wav_path_, "read back the rendered sound", errno);
  }

 private:
  Spool(Owned<std::FILE> file, std::string wav_path) : file_(std::move(file)), wav_path_(std::move(wav_path)) {}
  static tl::unexpected<Error> trouble(const std::string& path, std::string_view doing, int code) {
    const char* advice =
        code == ENOSPC || code == EDQUOT ? "; free some space and try again" : "; choose another place";
    return fail(ErrorCode::kIo, fmt::format("cannot {}: {}{}", doing, std::strerror(code), advice), path);
  }
  Owned<std::FILE> file_;
  std::string wav_path_;
};

/// What the first pass found out.
struct Rendering {
  std::int64_t frames = 0;  ///< to keep
  double peak = 0;          ///< of the floats
  bool complete = true;
};

constexpr int kLevels = 64;

/// The power of two at or below `magnitude`, as an index below kLevels.
int level_of(double magnitude) {
  return std::clamp(std::ilogb(magnitude) + 32, 0, kLevels - 1);
}

double decibels(double ratio) {
  return ratio > 0 ? 20 * std::log10(ratio) : -std::numeric_limits<double>::infinity();
}

/// What FluidSynth checks first, checked before it: where it was built with a DLS loader, that one is tried next on a
/// bad file and complains on standard error.
Result<void> check_soundfont(const std::string& path) {
  MIDINF_TRY_ASSIGN(file, MappedFile::open(path));
  ByteCursor cursor(file.bytes());
  const auto riff = cursor.take_text(4);
  const auto size = cursor.little_endian<std::uint32_t>();
  const auto form = cursor.take_text(4);
  if (!riff || !size || !form || *riff != "RIFF" || *form != "sfbk")
    return fail(ErrorCode::kCorrupt, "this is no soundfont (.sf2, .sf3); choose another file", path);
  if (std::uint64_t{*size} + 8 != file.bytes().size())
    return fail(ErrorCode::kCorrupt,
                fmt::format("the soundfont is damaged: it should have {} bytes and has {}", std::uint64_t{*size} + 8,
                            file.bytes().size()),
                path);
  return {};
}

/// FluidSynth plays nothing, and does not complain, when a file ends before its first track.
bool has_track(std::span<const std::byte> midi) {
  ByteCursor cursor(midi);
  while (true) {
    const auto id = cursor.take_text(4);
    const auto size = cursor.big_endian<std::uint32_t>();
    if (!id || !size) return false;
    if (*id == "MTrk") return true;
    if (!cursor.take(*size)) return false;
  }
}

Result<Owned<fluid_synth_t> > make_synth(Owned<fluid_settings_t>& settings, const std::string& soundfont,
                                         int sample_rate, LogCapture& log) {
  settings.reset(new_fluid_settings());
  const auto set = [&](const char* name, double value) { fluid_settings_setnum(settings.get(), name, value); };
  const auto set_int = [&](const char* name, int value) { fluid_settings_setint(settings.get(), name, value); };
  set("synth.sample-rate", sample_rate);
  set("synth.gain", 1);              // any: the second pass scales
  set_int("synth.polyphony", 1024);  // dense songs were seen to use 150
  set_int("synth.cpu-cores", 1);     // more make the order of sums, and so the bytes, a matter of luck
  set_int("synth.lock-memory", 0);
  set_int("synth.dynamic-sample-loading", 1);  // unpacks what the song plays: seconds less for a packed font
  // A medium room.
  set("synth.reverb.room-size", 0.5);
  set("synth.reverb.damp", 0.3);
  set("synth.reverb.width", 0.8);
  set("synth.reverb.level", 0.7);
  fluid_settings_setstr(settings.get(), "player.timing-source", "sample");  // as fast as samples are asked for
  set_int("player.reset-synth", 0);  // when the song ends its last notes still ring
  Owned<fluid_synth_t> synth(new_fluid_synth(settings.get()));
  if (synth == nullptr) return fail(ErrorCode::kIo, fmt::format("FluidSynth does not start: {}", log.take_error()));
  if (fluid_synth_sfload(synth.get(), soundfont.c_str(), 1) == FLUID_FAILED)
    return fail(ErrorCode::kCorrupt, fmt::format("FluidSynth cannot use this soundfont: {}", log.take_error()),
                soundfont);
  // General MIDI 2's initial reverb send; FluidSynth starts with none. The song may set its own.
  constexpr int kReverbSend = 91;
  for (int channel = 0; channel < fluid_synth_count_midi_channels(synth.get()); ++channel)
    fluid_synth_cc(synth.get(), channel, kReverbSend, 40);
  log.take_error();
  return synth;
}

/// First pass: plays the song into the spool.
Result<Rendering> play(std::span<const std::byte> midi, fluid_synth_t* synth, Spool& spool,
                       const RenderOptions& options, LogCapture& log) {
  const Owned<fluid_player_t> player(new_fluid_player(synth));
  if (player == nullptr || fluid_player_add_mem(player.get(), midi.data(), midi.size()) != FLUID_OK ||
      fluid_player_play(player.get()) != FLUID_OK)
    return fail(ErrorCode::kIo, fmt::format("FluidSynth does not play: {}", log.take_error()));

  const double rate = options.sample_rate;
  const std::int64_t most_frames = static_cast<std::int64_t>(std::min(
      options.longest.count() * rate, static_cast<double>(kWavMaxDataBytes / (kChannels * sizeof(std::int16_t)))));
  Rendering rendering;
  std::vector<float> block(kBlockFrames * kChannels);
  // Where each power of two of loudness was last reached: the end is known only when the peak is.
  std::array<std::int64_t, kLevels> last_at_level{};
  std::int64_t frames = 0, song_end = -1, ended = -1;
  while (true) {
    if (fluid_synth_write_float(synth, kBlockFrames, block.data(), 0, kChannels, block.data(), 1, kChannels) !=
        FLUID_OK)
      return fail(ErrorCode::kIo, fmt::format("FluidSynth stops: {}", log.take_error()));
    if (frames == 0) {
      // The song is parsed when the first block is played.
      const std::string error = log.take_error();
      if (fluid_player_get_total_ticks(player.get()) <= 0 && !error.empty())
        return fail(ErrorCode::kCorrupt, fmt::format("FluidSynth cannot read this MIDI file: {}", error));
    }
    double block_peak = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
      const double magnitude = std::abs(static_cast<double>(block[i]));
      if (magnitude <= kSilence) continue;
      block_peak = std::max(block_peak, magnitude);
      last_at_level[static_cast<std::size_t>(level_of(magnitude))] =
          frames + static_cast<std::int64_t>(i / kChannels) + 1;
    }
    rendering.peak = std::max(rendering.peak, block_peak);
    MIDINF_TRY(spool.write(block));
    frames += kBlockFrames;
    if (frames > most_frames)
      return fail(ErrorCode::kUnsupported,
                  fmt::format("the song is longer than {:.0f} minutes, the most that is rendered",
                              static_cast<double>(most_frames) / rate / 60));

    const int tick = fluid_player_get_current_tick(player.get()), ticks = fluid_player_get_total_ticks(player.get());
    if (song_end < 0 && tick >= ticks) song_end = frames;
    const double done = ticks > 0 ? std::min(1.0, static_cast<double>(tick) / ticks) : 1.0;
    if (options.progress && !options.progress(kFirstPassShare * done)) {
      rendering.complete = false;
      break;
    }
    if (fluid_player_get_status(player.get()) != FLUID_PLAYER_DONE) continue;
    if (ended < 0) ended = frames;
    const bool faded =
        fluid_synth_get_active_voice_count(synth) == 0 && block_peak <= rendering.peak * kAudibleBelowPeak;
    if (static_cast<double>(frames) < kShortestSeconds * rate) continue;
    if (faded || static_cast<double>(frames - ended) > kTailSeconds * rate) break;
  }
  rendering.frames = frames;
  if (rendering.peak <= kSilence) {
    rendering.peak = 0;
    if (rendering.complete)
      rendering.frames = std::min(frames, std::max(song_end, static_cast<std::int64_t>(kShortestSeconds * rate)));
  } else if (rendering.complete) {
    std::int64_t last = 0;
    for (int level = level_of(rendering.peak * kAudibleBelowPeak); level < kLevels; ++level)
      last = std::max(last, last_at_level[static_cast<std::size_t>(level)]);
    rendering.frames = std::min(frames, last + static_cast<std::int64_t>(kFadeSeconds * rate));
  }
  return rendering;
}

/// The 44 bytes before the samples.
std::vector<std::byte> wav_header(std::uint32_t data_bytes, int sample_rate) {
  std::vector<std::byte> header;
  const auto text = [&](std::string_view four) {
    for (const char c : four) header.push_back(static_cast<std::byte>(c));
  };
  const auto number = [&](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) header.push_back(static_cast<std::byte>(value >> (8 * i)));
  };
  constexpr std::uint32_t kFrameBytes = kChannels * sizeof(std::int16_t);
  const auto rate = static_cast<std::uint32_t>(sample_rate);
  text("RIFF");
  number(static_cast<std::uint32_t>(kWavHeaderBytes - 8) + data_bytes, 4);
  text("WAVEfmt ");
  number(16, 4);  // bytes of this chunk
  number(1, 2);   // integer PCM
  number(kChannels, 2);
  number(rate, 4);
  number(rate * kFrameBytes, 4);
  number(kFrameBytes, 2);
  number(16, 2);  // bits of a sample
  text("data");
  number(data_bytes, 4);
  MIDINF_ASSERT(header.size() == kWavHeaderBytes);
  return header;
}

/// Triangular noise of one step either way: turns the rounding error into faint even hiss, the same in every run.
class Dither {
 public:
  double operator()() { return uniform() - uniform(); }

 private:
  double uniform() {
    state_ = state_ * 1664525u + 1013904223u;
    return (state_ >> 8) * (1.0 / (1 << 24));
  }
  std::uint32_t state_ = 1;
};

/// Second pass: scales, fades out at the end, rounds and writes; fills in the levels of the report.
Result<void> write_wav(Spool& spool, const Rendering& rendering, FileWriter& out, const RenderOptions& options,
                       RenderReport& report) {
  MIDINF_TRY(spool.rewind());
  const double scale = rendering.peak > 0 ? std::pow(10, options.peak_dbfs / 20) * kFullScale / rendering.peak : 0;
  const std::int64_t fade_frames =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(kFadeSeconds * options.sample_rate));
  MIDINF_TRY(out.write(wav_header(static_cast<std::uint32_t>(rendering.frames * kChannels * 2), options.sample_rate)));
  Dither dither;
  std::vector<float> block(kBlockFrames * kChannels);
  std::vector<std::byte> bytes;
  int peak = 0;
  double squares = 0;
  for (std::int64_t frame = 0; frame < rendering.frames; frame += kBlockFrames) {
    const std::int64_t count = std::min<std::int64_t>(kBlockFrames, rendering.frames - frame);
    const std::span<float> samples = std::span(block).first(static_cast<std::size_t>(count * kChannels));
    MIDINF_TRY(spool.read(samples));
    bytes.clear();
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::int64_t left = rendering.frames - frame - static_cast<std::int64_t>(i / kChannels);
      double value = samples[i] * scale;
      if (left < fade_frames) value *= static_cast<double>(left) / static_cast<double>(fade_frames);
      // Where there is next to nothing, silence is better than hiss.
      if (std::abs(value) > 0.01) value += dither();
      const int rounded = static_cast<int>(std::lround(std::clamp(value, -kFullScale, kFullScale)));
      bytes.push_back(static_cast<std::byte>(rounded & 0xFF));
      bytes.push_back(static_cast<std::byte>((rounded >> 8) & 0xFF));
      peak = std::max(peak, std::abs(rounded));
      squares += static_cast<double>(rounded) * rounded;
    }
    MIDINF_TRY(out.write(bytes));
    if (options.progress)
      static_cast<void>(options.progress(kFirstPassShare + (1 - kFirstPassShare) * static_cast<double>(frame + count) /
                                                               static_cast<double>(rendering.frames)));
  }
  report.duration = Seconds(static_cast<double>(rendering.frames) / options.sample_rate);
  report.peak_dbfs = decibels(peak / kFullScale);
  report.rms_dbfs = decibels(std::sqrt(squares / static_cast<double>(rendering.frames * kChannels)) / kFullScale);
  report.complete = rendering.complete;
  return {};
}

}  // namespace

Result<RenderReport> render_wav(std::span<const std::byte> midi_file_bytes, const std::string& wav_path,
                                const RenderOptions& options) {
  if (options.sample_rate < 8000 || options.sample_rate > 96000)
    return fail(ErrorCode::kInvalidArgument, "the sample rate must be 8,000 to 96,000 Hz",
                fmt::format("{}", options.sample_rate));
  if (!(options.peak_dbfs >= -40 && options.peak_dbfs <= 0))
    return fail(ErrorCode::kInvalidArgument, "the peak must be -40 to 0 dBFS", fmt::format("{}", options.peak_dbfs));
  if (!(options.longest.count() > 0 && options.longest.count() < 1e7))
    return fail(ErrorCode::kInvalidArgument, "the longest song must be above 0 and below 10 million seconds",
                fmt::format("{}", options.longest.count()));
  constexpr std::string_view kMagic = "MThd";
  if (midi_file_bytes.size() < kMagic.size() || std::memcmp(midi_file_bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return fail(ErrorCode::kCorrupt, "this is no Standard MIDI File: it does not begin with MThd");
  if (!has_track(midi_file_bytes)) return fail(ErrorCode::kCorrupt, "this MIDI file ends before its first track");
  const std::vector<std::string> folders = soundfont_folders();
  MIDINF_TRY_ASSIGN(soundfont, find_soundfont(options.soundfont, folders));
  MIDINF_TRY(check_soundfont(soundfont));
  // Before the work: a place that cannot be written is told at once.
  MIDINF_TRY_ASSIGN(spool, Spool::create(wav_path));

  static std::mutex turn;  // FluidSynth's log is one for the process
  const std::lock_guard lock(turn);
  LogCapture log;
  Owned<fluid_settings_t> settings;
  RenderReport report;
  std::error_code ignored;
  report.soundfont = fs::canonical(soundfont, ignored).string();
  if (ignored) report.soundfont = soundfont;
  MIDINF_TRY_ASSIGN(synth, make_synth(settings, soundfont, options.sample_rate, log));
  MIDINF_TRY_ASSIGN(rendering, play(midi_file_bytes, synth.get(), spool, options, log));
  MIDINF_TRY(
      write_file_whole(wav_path, [&](FileWriter& out) { return write_wav(spool, rendering, out, options, report); }));
  return report;
}

#endif

}  // namespace midinf::cli
