#include "bench_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench_measure.h"
#include "model_report.h"
#include "terminal.h"
#include "tokens/vocabulary.h"

namespace midinf::cli {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::array kContexts = {64, 512, 1'000};
constexpr std::size_t kPrefillIds = 511;  // what is left of a full window when it slides

using Times = std::vector<double>;  // seconds, one a round

// Decoding at one length of the context, and reading as many bytes.
struct Point {
  int context = 0;
  bool whole = false;  // all of the head, which no generator asks for
  std::vector<KeptRequest> requests;
  Decoder decoder;
  double rows = 0, bytes = 0;  // a token's, the mean
  Times decode, read;
};

struct Measured {
  Times load, first_note, prefill, music, step, slide, read_ahead;
  std::vector<Point> points;
  Music last;  // every round makes the same
  int rounds = 0;
};

struct Spread {
  double best = 0, median = 0;
};

// The quickest time and the median one.
Spread spread(Times times) {
  std::sort(times.begin(), times.end());
  const std::size_t half = times.size() / 2;
  return {times.front(), times.size() % 2 == 1 ? times[half] : (times[half - 1] + times[half]) / 2};
}

// How much of `amount` a second.
Spread rate(double amount, const Times& times) {
  const Spread s = spread(times);
  return {amount / s.best, amount / s.median};
}

// Both read the same bytes: the part of the memory's speed that decoding reaches.
Spread reached(const Point& point) {
  const Spread decode = spread(point.decode), read = spread(point.read);
  return {read.best / decode.best, read.median / decode.median};
}

std::vector<Point> points_of(const Engine& engine) {
  std::vector<Point> points;
  for (const int context : kContexts) {
    for (const bool whole : {false, true}) {
      Point& point = points.emplace_back(Point{context, whole, requests_at(context), engine.decoder()});
      for (KeptRequest& request : point.requests) {
        if (whole) request.rows = {RowRange{0, kVocabulary}};
        point.rows += request.rows.size();
      }
      point.rows /= kIdsTimed;
      point.bytes = bytes_touched(engine, point.decoder, point.requests);
    }
  }
  return points;
}

// In turns, so that what else the machine does meets all parts alike.
Result<Measured> measure(const BenchArguments& arguments, const Engine& engine) {
  const auto wants = [&](const char* part) {
    return arguments.only.empty() ||
           std::find(arguments.only.begin(), arguments.only.end(), part) != arguments.only.end();
  };
  const Settings settings = bench_settings(arguments.notes_per_second);
  const MusicLength length{arguments.seconds, arguments.notes};
  Measured measured;
  std::optional<ReadBuffer> buffer;
  if (wants("decode")) {
    measured.points = points_of(engine);
    double most = 0;
    for (const Point& point : measured.points) most = std::max(most, point.bytes);
    buffer.emplace(static_cast<std::size_t>(most));
  }
  const std::vector<KeptRequest> requests = requests_at(512);
  const auto prefill_ids = std::span(requests.back().context).first(kPrefillIds);
  Decoder prefiller = engine.decoder();

  Progress progress("measuring", arguments.json);
  while (measured.rounds < arguments.rounds && !interrupted()) {
    if (wants("load")) {
      const auto began = Clock::now();
      const auto again = load_engine(arguments.model, arguments.threads, {.float_cache = arguments.float_cache});
      measured.load.push_back(std::chrono::duration<double>(Clock::now() - began).count());
      MIDINF_TRY(again);
    }
    for (Point& point : measured.points) {
      point.decode.push_back(time_decode(point.decoder, point.requests));
      point.read.push_back(buffer->time_read(*engine.pool, static_cast<std::size_t>(point.bytes), kIdsTimed));
    }
    if (wants("prefill")) measured.prefill.push_back(time_prefill(prefiller, prefill_ids));
    if (wants("first-note")) {
      MIDINF_TRY_ASSIGN(seconds, time_first_note(engine, settings));
      if (interrupted()) break;
      measured.first_note.push_back(seconds);
    }
    if (wants("slide")) {
      MIDINF_TRY_ASSIGN(slide, time_slide(engine, settings));
      if (interrupted()) break;
      measured.step.push_back(slide.step);
      measured.slide.push_back(slide.longest);
      measured.read_ahead.push_back(slide.read_ahead);
    }
    if (wants("music")) {
      MIDINF_TRY_ASSIGN(music, time_music(engine, settings, length));
      if (interrupted()) break;
      measured.music.push_back(music.generating_seconds);
      measured.last = std::move(music);
    }
    ++measured.rounds;
    progress.update(static_cast<double>(measured.rounds) / arguments.rounds);
  }
  return measured;
}

double notes_of(const Music& music) {
  return static_cast<double>(std::count_if(music.events.begin(), music.events.end(), is_note));
}

double seconds_of(const Music& music) {
  return to_seconds(music.end - music.start).count();
}

json to_json(const Spread& s) {
  return {{"best", s.best}, {"median", s.median}};
}

json to_json(const Measured& measured) {
  json report = {{"rounds", measured.rounds}};
  if (!measured.load.empty()) report["loading_seconds"] = to_json(spread(measured.load));
  if (!measured.first_note.empty()) report["first_note_seconds"] = to_json(spread(measured.first_note));
  if (!measured.prefill.empty())
    report["prefill"] = {{"ids", kPrefillIds},
                         {"tokens_per_second", to_json(rate(static_cast<double>(kPrefillIds), measured.prefill))}};
  for (const Point& point : measured.points)
    if (!point.read.empty())
      report["decode"].push_back({{"context", point.context},
                                  {"head", point.whole ? "whole" : "allowed"},
                                  {"rows", point.rows},
                                  {"bytes_per_token", point.bytes},
                                  {"tokens_per_second", to_json(rate(kIdsTimed, point.decode))},
                                  {"read_bytes_per_second", to_json(rate(kIdsTimed * point.bytes, point.read))},
                                  {"reached", to_json(reached(point))}});
  if (const Music& music = measured.last; !measured.music.empty())
    report["music"] = {{"seconds", seconds_of(music)},
                       {"notes", notes_of(music)},
                       {"ids", music.ids},
                       {"window_slides", music.slides},
                       {"recoveries", music.recoveries.recoveries},
                       {"stuck", music.stuck},
                       {"generating_seconds", to_json(spread(measured.music))},
                       {"tokens_per_second", to_json(rate(static_cast<double>(music.ids), measured.music))},
                       {"notes_per_second", to_json(rate(notes_of(music), measured.music))},
                       {"times_real_time", to_json(rate(seconds_of(music), measured.music))}};
  if (!measured.slide.empty())
    report["slide"] = {{"step_seconds", to_json(spread(measured.step))},
                       {"longest_step_seconds", to_json(spread(measured.slide))},
                       {"longest_read_ahead_seconds", to_json(spread(measured.read_ahead))}};
  return report;
}

// "best (median)"
std::string in_words(const Spread& s, int digits, double unit = 1) {
  return fmt::format("{:.{}f} ({:.{}f})", s.best / unit, digits, s.median / unit, digits);
}

void print(const Measured& measured) {
  constexpr double kMilli = 1e-3, kGiga = 1e9, kPercent = 1e-2;
  const auto line = [](const char* what, const std::string& says) { fmt::print("  {:<11} {}\n", what, says); };
  if (!measured.load.empty()) line("load", in_words(spread(measured.load), 3) + " s");
  if (!measured.first_note.empty()) line("first note", in_words(spread(measured.first_note), 1, kMilli) + " ms");
  if (!measured.prefill.empty())
    line("prefill", fmt::format("{} tokens/s, {} ids at once",
                                in_words(rate(static_cast<double>(kPrefillIds), measured.prefill), 0), kPrefillIds));
  if (!measured.points.empty() && !measured.points.back().read.empty()) {
    fmt::print("  {:<22} {:>15} {:>8} {:>13} {:>20} {:>12}\n", "decode at", "tokens/s", "rows", "a token reads",
               "memory reads, GB/s", "reached, %");
    for (const Point& point : measured.points)
      fmt::print("    {:>5}, {:<13} {:>15} {:>8.0f} {:>10.1f} MB {:>20} {:>12}\n", point.context,
                 point.whole ? "whole head" : "allowed rows", in_words(rate(kIdsTimed, point.decode), 0), point.rows,
                 point.bytes / 1e6, in_words(rate(kIdsTimed * point.bytes, point.read), 1, kGiga),
                 in_words(reached(point), 0, kPercent));
  }
  if (const Music& music = measured.last; !measured.music.empty())
    line("music", fmt::format("{} tokens/s, {} notes/s, {} x real time: {:.0f} notes in {:.1f} s, {} slides",
                              in_words(rate(static_cast<double>(music.ids), measured.music), 0),
                              in_words(rate(notes_of(music), measured.music), 0),
                              in_words(rate(seconds_of(music), measured.music), 1), notes_of(music), seconds_of(music),
                              music.slides));
  if (!measured.slide.empty())
    line("slide", fmt::format("{} ms where a step takes {}; ids read ahead at once {} ms",
                              in_words(spread(measured.slide), 2, kMilli), in_words(spread(measured.step), 2, kMilli),
                              in_words(spread(measured.read_ahead), 2, kMilli)));
}

Result<int> bench(const BenchArguments& arguments) {
  MIDINF_TRY_ASSIGN(engine, load_engine(arguments.model, arguments.threads, {.float_cache = arguments.float_cache}));
  MIDINF_TRY_ASSIGN(description, describe_model(engine.model_path));
  MIDINF_TRY_ASSIGN(measured, measure(arguments, engine));
  if (measured.rounds == 0) return kInterrupted;
  if (arguments.json) {
    json report = to_json(measured);
    for (const char* key : {"type", "layers", "heads", "width", "parameters"}) report[key] = description[key];
    report["model"] = engine.model_path;
    report["threads"] = engine.pool->threads();
    report["kernels"] = engine.network->kernels().name;
    report["held_to_notes_per_second"] =
        arguments.notes_per_second > 0 ? json(arguments.notes_per_second) : json(nullptr);
    fmt::print("{}\n", to_text(report));
  } else {
    fmt::print("{}: {}, {} layers, width {}; {}, {} thread{}; best of {} rounds (median)\n", engine.model_path,
               description["type"].get<std::string>(), engine.network->config().layers, engine.network->config().width,
               engine.network->kernels().name, engine.pool->threads(), engine.pool->threads() == 1 ? "" : "s",
               measured.rounds);
    print(measured);
  }
  return interrupted() ? kInterrupted : kDone;
}

}  // namespace

int run_bench(const BenchArguments& arguments) {
  const Result<int> done = bench(arguments);
  return done ? *done : report(done.error());
}

}  // namespace midinf::cli
