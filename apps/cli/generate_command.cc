#include "generate_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/general_midi.h"
#include "engine.h"
#include "generate_files.h"
#include "make_music.h"
#include "model_report.h"
#include "settings_options.h"
#include "stream/generator.h"
#include "stream/velocity.h"
#include "terminal.h"
#include "tokens/triplets.h"

namespace midinf::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// One take in the making.
struct Playing {
  int number;
  Settings settings;
  Generator generator;
  Decoder decoder;
  MusicMaker maker;

  Playing(const GenerateArguments& arguments, int take, Settings its, const Prompt& start, const Decoder& reader)
      : number(take),
        settings(std::move(its)),
        generator(settings, start),
        decoder(reader),
        maker({arguments.seconds, arguments.notes}, generator, decoder) {}
  Playing(const Playing&) = delete;
  Playing& operator=(const Playing&) = delete;
};

// Plays until one has ended, all together.
Result<void> play(const GenerateArguments& arguments, std::span<const std::unique_ptr<Playing>> takes) {
  Progress progress("generating", arguments.json);
  std::vector<MusicMaker*> makers;
  for (const auto& take : takes) makers.push_back(&take->maker);
  while (!interrupted() && std::none_of(makers.begin(), makers.end(), [](auto* maker) { return maker->ended(); })) {
    MIDINF_TRY(MusicMaker::step(makers));
    const MusicMaker& first = *makers.front();
    const int number = takes.front()->number;
    progress.update((number - 1 + first.fraction()) / arguments.takes,
                    fmt::format("{}{} notes, {:.1f} s of music",
                                arguments.takes == 1 ? std::string() : fmt::format("take {}: ", number), first.notes(),
                                first.seconds()));
  }
  return {};
}

std::vector<int> instruments_of(std::span<const Note> notes) {
  std::set<int> instruments;
  for (const Note& note : notes) instruments.insert(note.instrument);
  return {instruments.begin(), instruments.end()};
}

// One take: what it is made of, and what became of it.
struct Take {
  Settings settings;
  Music music;
  std::vector<Note> made;
  Files files;
};

Result<Take> finish_take(const GenerateArguments& arguments, const OutputNames& names, const PromptFile& prompt,
                         const Prompt& start, Playing& playing) {
  Take take{.settings = playing.settings, .music = playing.maker.finish(), .made = {}, .files = {}};
  const std::uint64_t seed = take.settings.seed;
  take.made = played_notes(take.music.events, start.events.size(), {.constant = arguments.velocity, .seed = seed});
  for (Note& note : take.made) note.duration = std::min(note.duration, take.music.end - note.onset);
  auto files = write_files(names, prompt, take.made, arguments.json);
  if (!files) {
    Error error = files.error();
    error.message += fmt::format(" (--seed {} makes the same music again)", seed);
    return tl::make_unexpected(std::move(error));
  }
  take.files = std::move(*files);
  return take;
}

nlohmann::json json_report(const Take& take, std::size_t prompt_notes, const Engine& engine, double loading_seconds) {
  const auto& [settings, music, made, files] = take;
  const double music_seconds = to_seconds(music.end - music.start).count();
  const double speed = static_cast<double>(made.size()) / music.generating_seconds;
  const double pace = music_seconds > 0 ? static_cast<double>(made.size()) / music_seconds : 0;
  const std::vector<int> players = instruments_of(made);
  nlohmann::json report = {{"midi", files.midi},
                           {"seed", settings.seed},
                           {"settings", settings_report(settings)},
                           {"model", engine.model_path},
                           {"threads", engine.pool->threads()},
                           {"kernels", engine.network->kernels().name},
                           {"prompt_notes", prompt_notes},
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
                           {"recoveries", music.recoveries.recoveries},
                           {"recoveries_given_up", music.recoveries.given_up},
                           {"stuck", music.stuck},
                           {"interrupted", interrupted()}};
  if (!files.remark.empty()) report["remark"] = files.remark;
  if (!files.roll.empty()) report["roll"] = files.roll;
  if (files.sound)
    report["wav"] = {{"file", files.wav},
                     {"seconds", files.sound->duration.count()},
                     {"peak_dbfs", files.sound->peak_dbfs},
                     {"rms_dbfs", files.sound->rms_dbfs}};
  return report;
}

void print_report(const Take& take, std::FILE* out) {
  const auto& [settings, music, made, files] = take;
  const double music_seconds = to_seconds(music.end - music.start).count();
  const double speed = static_cast<double>(made.size()) / music.generating_seconds;
  const double pace = music_seconds > 0 ? static_cast<double>(made.size()) / music_seconds : 0;
  const std::vector<int> players = instruments_of(made);
  std::string names;
  for (const int instrument : players) names += (names.empty() ? "" : ", ") + std::string(instrument_name(instrument));
  fmt::print(out, "{}: {:.1f} s of new music, {} notes for {}\n", files.midi == "-" ? "standard output" : files.midi,
             music_seconds, made.size(), names.empty() ? "nobody" : names);
  if (!files.wav.empty())
    fmt::print(out, "{}: peak {:.1f} dBFS, {:.1f} s\n", files.wav, files.sound->peak_dbfs,
               files.sound->duration.count());
  if (!files.roll.empty() && files.roll != "-") fmt::print(out, "{}: its piano roll\n", files.roll);
  if (!files.remark.empty()) fmt::print(out, "{}\n", files.remark);
  if (const auto& counts = music.recoveries; counts.recoveries > 0)
    fmt::print(out, "the music had died and was taken back and revived: {} times{} (--recover off leaves it)\n",
               counts.recoveries,
               counts.given_up > 0 ? fmt::format(", {} passages not for good", counts.given_up) : std::string());
  fmt::print(out, "seed {}, generated in {:.1f} s: {:.0f} notes a second, the music plays {:.1f} a second\n",
             settings.seed, music.generating_seconds, speed, pace);
}

Result<int> generate(const GenerateArguments& arguments) {
  const std::uint64_t seed = arguments.seed ? *arguments.seed : std::random_device{}();
  OutputNames names{arguments.output, arguments.wav, arguments.roll};
  if (names.midi.empty()) names.midi = fmt::format("midinfinite-{}.mid", seed);
  MIDINF_TRY(check_outputs(names, arguments.takes));
  MIDINF_TRY_ASSIGN(prompt, read_prompt(arguments.prompt));
  const auto began = Clock::now();
  MIDINF_TRY_ASSIGN(engine, load_engine(arguments.model, arguments.threads, {.float_cache = arguments.float_cache}));
  const double loading_seconds = seconds_since(began);

  const Prompt start = arguments.from_middle ? begin_middle() : continue_piece(prompt.notes);
  // Reads the prompt once for all takes.
  Decoder reader = engine.decoder();
  {
    Generator generator(arguments.settings, start);
    const LogitRequest request = generator.request();
    static_cast<void>(reader.logits(request.context, request.rows));
  }
  const bool piped = names.midi == "-" || names.wav == "-" || names.roll == "-";
  std::FILE* out = piped ? stderr : stdout;
  std::map<int, nlohmann::json> reports;  // by the take's number: they end when they like
  std::optional<Error> failed, stuck;
  std::vector<std::unique_ptr<Playing>> playing;  // in order of their numbers
  for (int begun = 0, reported = 0; reported < arguments.takes && !failed;) {
    while (begun < arguments.takes && playing.size() < Decoder::kMostTogether) {
      Settings its = arguments.settings;
      its.seed = seed + static_cast<std::uint64_t>(begun);
      playing.push_back(std::make_unique<Playing>(arguments, ++begun, std::move(its), start, reader));
    }
    const Result<void> played = play(arguments, playing);
    if (!played) {
      failed = with_context(played.error(), engine.model_path);
      break;
    }
    // Those that have ended, or all: then it was interrupted.
    for (auto& take : playing) {
      if (!(take->maker.ended() || interrupted())) continue;
      const int number = take->number;
      const OutputNames its = arguments.takes == 1 ? names : of_take(names, number);
      const auto finished = finish_take(arguments, its, prompt, start, *take);
      take.reset();
      ++reported;
      if (!finished) {
        if (!failed) failed = finished.error();
        continue;
      }
      if (arguments.json)
        reports[number] = json_report(*finished, prompt.notes.size(), engine, loading_seconds);
      else
        print_report(*finished, out);
      if (finished->music.stuck && !stuck)
        stuck = Error{ErrorCode::kUnsupported,
                      fmt::format("the music stood still at {:.1f} s and was ended there; another --seed or a higher "
                                  "--temperature helps",
                                  to_seconds(finished->music.end).count()),
                      its.midi};
    }
    std::erase(playing, nullptr);
    if (interrupted()) break;
  }
  if (arguments.json && !reports.empty()) {
    nlohmann::json all = nlohmann::json::array();
    for (auto& [number, report] : reports) all.push_back(std::move(report));
    fmt::print(out, "{}\n", to_text(arguments.takes == 1 ? all.front() : all));
  }
  if (failed) return tl::make_unexpected(*std::move(failed));
  if (interrupted()) return kInterrupted;
  if (stuck) return tl::make_unexpected(*std::move(stuck));
  return kDone;
}

}  // namespace

int run_generate(const GenerateArguments& arguments) {
  const Result<int> done = generate(arguments);
  return done ? *done : report(done.error());
}

}  // namespace midinf::cli
