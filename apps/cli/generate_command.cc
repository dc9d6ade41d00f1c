#include "generate_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/file.h"
#include "base/general_midi.h"
#include "engine.h"
#include "midi/smf_continuation.h"
#include "midi/smf_reader.h"
#include "midi/smf_writer.h"
#include "model_report.h"
#include "render_wav.h"
#include "roll_svg.h"
#include "settings_options.h"
#include "stream/generator.h"
#include "terminal.h"
#include "tokens/triplets.h"

namespace midinf::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A model may in principle draw the same instant for ever. A thousand events without a step in time (or, when notes are
// counted, without a note) are more than any music has.
constexpr int kMostEventsWithoutProgress = 1'000;

/// What was generated, and how it went.
struct Music {
  std::vector<Triplet> events;
  Ticks10ms start;  // where the new music begins
  Ticks10ms end;    // where it ends: nothing sounds longer
  bool stuck = false;
  double generating_seconds = 0;
  std::uint64_t ids = 0;
  std::uint64_t slides = 0;
};

// Damaged weights, or absurd ones, make infinities of which nothing can be drawn.
bool all_finite(std::span<const float> logits) {
  return std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); });
}

Result<Music> play(const GenerateArguments& arguments, Generator& generator, Decoder& decoder) {
  Music music;
  music.start = generator.now();
  music.end = music.start + to_ticks(Seconds(arguments.seconds));
  bool finite = true;
  const LogitSource logits = [&](const LogitRequest& request) {
    const std::span<float> answer = decoder.logits(request.context, request.rows);
    if (!all_finite(answer)) {
      finite = false;
      std::fill(answer.begin(), answer.end(), 0.0F);
    }
    return answer;
  };
  Progress progress("generating", arguments.json);
  const auto began = Clock::now();
  int notes = 0, without_progress = 0;
  while (!interrupted() && !(arguments.notes && notes >= *arguments.notes)) {
    const Ticks10ms before = generator.now();
    const Triplet event = next_event(generator, logits);
    if (!finite)
      return fail(ErrorCode::kCorrupt,
                  "the model computes infinities or no numbers at all; download or convert it again");
    if (!arguments.notes && onset_of(event) >= music.end) break;
    music.events.push_back(event);
    notes += is_note(event) ? 1 : 0;
    const bool moved = arguments.notes ? is_note(event) : onset_of(event) > before;
    without_progress = moved ? 0 : without_progress + 1;
    if ((music.stuck = without_progress >= kMostEventsWithoutProgress)) break;
    const double played = to_seconds(onset_of(event) - music.start).count();
    progress.update(arguments.notes ? static_cast<double>(notes) / *arguments.notes : played / arguments.seconds,
                    fmt::format("{} notes, {:.1f} s of music", notes, played));
  }
  music.generating_seconds = seconds_since(began);
  music.ids = 3 * generator.generated();
  music.slides = generator.slides();
  if (arguments.notes || interrupted() || music.stuck) {
    music.end = music.start;
    for (const Triplet& event : music.events) music.end = std::max(music.end, onset_of(event) + duration_of(event));
  }
  return music;
}

// Finds out before the work is done, not after it.
Result<void> check_folder(const std::string& path) {
  if (path.empty() || path == "-") return {};
  const auto folder = std::filesystem::path(path).parent_path();
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK) == 0) return {};
  return fail(ErrorCode::kIo, "its folder does not exist or cannot be written to; create it or choose another", path);
}

std::vector<int> instruments_of(std::span<const Note> notes) {
  std::set<int> instruments;
  for (const Note& note : notes) instruments.insert(note.instrument);
  return {instruments.begin(), instruments.end()};
}

/// The file to continue: as it stands, and as it is heard. Empty: none.
struct PromptFile {
  std::vector<std::byte> bytes;
  std::vector<Note> notes;
};

Result<PromptFile> read_prompt(const std::string& path) {
  if (path.empty()) return PromptFile{};
  MIDINF_TRY_ASSIGN(bytes, read_file(path, kMaxMidiFileBytes));
  auto read = read_midi(bytes);
  if (!read) return tl::make_unexpected(with_context(read.error(), path));
  MidiSong& song = *read;
  for (const std::string& warning : song.warnings) fmt::print(stderr, "midinfinite: {}: {}\n", path, warning);
  if (song.notes.empty())
    return fail(ErrorCode::kInvalidArgument, "it has no notes to continue; leave out --prompt to start from nothing",
                path);
  // New music comes behind it, and a song must end within kMaxSongSeconds.
  constexpr std::int64_t kMostDays = kMaxSongSeconds / 2 / 86'400;
  const Ticks10ms last = std::ranges::max(song.notes, {}, &Note::onset).onset;
  if (to_seconds(last).count() > static_cast<double>(kMostDays * 86'400))
    return fail(ErrorCode::kUnsupported,
                fmt::format("it goes on for more than {} days, too long to continue; cut it", kMostDays), path);
  if (const auto room = continue_midi(bytes, {}); !room) return tl::make_unexpected(with_context(room.error(), path));
  return PromptFile{std::move(bytes), std::move(song.notes)};
}

// Two files under one name would leave the later one only.
Result<void> check_outputs(const GenerateArguments& arguments) {
  std::set<std::string> names;
  for (const std::string& path : {arguments.output, arguments.wav, arguments.roll}) {
    MIDINF_TRY(check_folder(path));
    std::error_code ignored;
    const bool device = std::filesystem::is_character_file(path, ignored);  // /dev/null may stand for all of them
    if (!path.empty() && !device && !names.insert(path).second)
      return fail(ErrorCode::kInvalidArgument, "two of --output, --wav and --roll name it; give each a name of its own",
                  path == "-" ? "standard output" : path);
  }
  return {};
}

struct Files {
  std::string midi, wav, roll;
  std::optional<RenderReport> sound;
  std::string remark;
};

// The written song: the prompt as it was, then the new notes.
Result<Files> write_files(const GenerateArguments& arguments, std::uint64_t seed, const PromptFile& prompt,
                          std::span<const Note> made) {
  Files files;
  files.midi = arguments.output.empty() ? fmt::format("midinfinite-{}.mid", seed) : arguments.output;
  WrittenMidi written;
  if (prompt.bytes.empty()) {
    written = write_midi(made);
  } else {
    MIDINF_TRY_ASSIGN(continued, continue_midi(prompt.bytes, made));
    written = std::move(continued);
  }
  files.remark = written.remark;
  MIDINF_TRY(write_file_whole(files.midi, written.bytes));
  if (!arguments.roll.empty()) {
    const std::string title = files.midi == "-" ? "midinfinite" : std::filesystem::path(files.midi).stem().string();
    std::vector<Note> song = prompt.notes;
    song.insert(song.end(), made.begin(), made.end());
    std::optional<Ticks10ms> prompt_end;
    if (!prompt.notes.empty()) prompt_end = prompt.notes.back().onset;
    MIDINF_TRY(write_file_whole(arguments.roll, roll_svg(song, {.title = title, .prompt_end = prompt_end})));
    files.roll = arguments.roll;
  }
  if (!arguments.wav.empty()) {
    Progress progress("rendering sound", arguments.json);
    const bool already_interrupted = interrupted();  // then what was generated is still rendered
    MIDINF_TRY_ASSIGN(sound, render_wav(written.bytes, arguments.wav, {.progress = [&](double fraction) {
                                          progress.update(fraction);
                                          return already_interrupted || !interrupted();
                                        }}));
    files.sound = sound;
    files.wav = arguments.wav;
  }
  return files;
}

Result<int> generate(const GenerateArguments& arguments) {
  MIDINF_TRY(check_outputs(arguments));
  MIDINF_TRY_ASSIGN(prompt, read_prompt(arguments.prompt));
  const std::uint64_t seed = arguments.seed ? *arguments.seed : std::random_device{}();
  const auto began = Clock::now();
  MIDINF_TRY_ASSIGN(engine, load_engine(arguments.model, arguments.threads));
  const double loading_seconds = seconds_since(began);

  Decoder decoder = engine.decoder();
  Settings settings = arguments.settings;
  settings.seed = seed;
  Generator generator(settings, continue_piece(prompt.notes));
  auto played = play(arguments, generator, decoder);
  if (!played) return tl::make_unexpected(with_context(played.error(), engine.model_path));
  const Music& music = *played;

  std::vector<Note> made = to_notes(music.events);
  for (Note& note : made) note.duration = std::min(note.duration, music.end - note.onset);
  auto files = write_files(arguments, seed, prompt, made);
  if (!files) {
    Error error = files.error();
    error.message += fmt::format(" (--seed {} makes the same music again)", seed);
    return tl::make_unexpected(std::move(error));
  }

  const double music_seconds = to_seconds(music.end - music.start).count();
  const double speed = static_cast<double>(made.size()) / music.generating_seconds;
  const double pace = music_seconds > 0 ? static_cast<double>(made.size()) / music_seconds : 0;
  const std::vector<int> players = instruments_of(made);
  const bool piped = files->midi == "-" || files->wav == "-" || files->roll == "-";
  std::FILE* out = piped ? stderr : stdout;
  if (arguments.json) {
    nlohmann::json report = {{"midi", files->midi},
                             {"seed", seed},
                             {"settings", settings_report(settings)},
                             {"model", engine.model_path},
                             {"threads", engine.pool->threads()},
                             {"kernels", engine.network->kernels().name},
                             {"prompt_notes", prompt.notes.size()},
                             {"notes", made.size()},
                             {"start_seconds", to_seconds(music.start).count()},
                             {"seconds", music_seconds},
                             {"instruments", players},
                             {"loading_seconds", loading_seconds},
                             {"generating_seconds", music.generating_seconds},
                             {"notes_per_second", speed},
                             {"notes_per_second_of_music", pace},
                             {"tokens_per_second", static_cast<double>(music.ids) / music.generating_seconds},
                             {"times_real_time", music_seconds / music.generating_seconds},
                             {"window_slides", music.slides},
                             {"stuck", music.stuck},
                             {"interrupted", interrupted()}};
    if (!files->remark.empty()) report["remark"] = files->remark;
    if (!files->roll.empty()) report["roll"] = files->roll;
    if (files->sound)
      report["wav"] = {{"file", files->wav},
                       {"seconds", files->sound->duration.count()},
                       {"peak_dbfs", files->sound->peak_dbfs},
                       {"rms_dbfs", files->sound->rms_dbfs}};
    fmt::print(out, "{}\n", to_text(report));
  } else {
    std::string names;
    for (const int instrument : players)
      names += (names.empty() ? "" : ", ") + std::string(instrument_name(instrument));
    fmt::print(out, "{}: {:.1f} s of new music, {} notes for {}\n",
               files->midi == "-" ? "standard output" : files->midi, music_seconds, made.size(),
               names.empty() ? "nobody" : names);
    if (!files->wav.empty())
      fmt::print(out, "{}: peak {:.1f} dBFS, {:.1f} s\n", files->wav, files->sound->peak_dbfs,
                 files->sound->duration.count());
    if (!files->roll.empty() && files->roll != "-") fmt::print(out, "{}: its piano roll\n", files->roll);
    if (!files->remark.empty()) fmt::print(out, "{}\n", files->remark);
    fmt::print(out, "seed {}, generated in {:.1f} s: {:.0f} notes a second, the music plays {:.1f} a second\n", seed,
               music.generating_seconds, speed, pace);
  }
  if (interrupted()) return kInterrupted;
  if (music.stuck)
    return fail(ErrorCode::kUnsupported,
                fmt::format("the music stood still at {:.1f} s and was ended there; another --seed or a higher "
                            "--temperature helps",
                            to_seconds(music.end).count()),
                files->midi);
  return kDone;
}

}  // namespace

int run_generate(const GenerateArguments& arguments) {
  const Result<int> done = generate(arguments);
  return done ? *done : report(done.error());
}

}  // namespace midinf::cli
