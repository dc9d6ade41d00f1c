#include "streamability_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "base/file.h"
#include "engine.h"
#include "generate_files.h"
#include "make_music.h"
#include "model_report.h"
#include "roll_style.h"
#include "settings_options.h"
#include "streamability.h"
#include "streamability_svg.h"
#include "terminal.h"
#include "tokens/triplets.h"

namespace midinf::cli {
namespace {

std::optional<double> number_in(std::string_view text, double low, double high) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return {};
  return value >= low && value <= high ? std::optional(value) : std::nullopt;  // nan is neither
}

/// What was generated, and how it went.
struct Made {
  std::vector<Piece> pieces;
  std::vector<std::uint64_t> stuck;  // the seeds of those whose music stood still, left out
  std::uint64_t notes = 0;           // in the pieces
  std::uint64_t ids = 0;             // as Music::ids
  double generating_seconds = 0;
  std::uint64_t slides = 0;
  std::uint64_t recoveries = 0;

  [[nodiscard]] double speed() const { return static_cast<double>(ids) / generating_seconds; }
};

Piece piece_of(const Music& music) {
  Piece piece;
  piece.length = music.end - music.start;
  piece.first_note = static_cast<std::size_t>(std::ranges::find_if(music.events, is_note) - music.events.begin());
  for (const Triplet& event : music.events) piece.onsets.push_back(onset_of(event) - music.start);
  return piece;
}

Result<Made> make_pieces(const StreamabilityArguments& arguments, std::uint64_t seed, const Engine& engine) {
  Decoder decoder = engine.decoder();
  Progress progress("generating", arguments.json);
  Made made;
  for (int done = 0; done < arguments.generations && !interrupted(); ++done) {
    Settings settings = arguments.settings;
    settings.seed = seed + static_cast<std::uint64_t>(done);
    Generator generator(settings, begin_piece());
    const auto watch = [&](double fraction, int notes, double seconds) {
      progress.update(
          (done + fraction) / arguments.generations,
          fmt::format("piece {} of {}: {} notes, {:.1f} s of music", done + 1, arguments.generations, notes, seconds));
    };
    const auto music = make_music({.seconds = arguments.seconds, .notes = {}}, generator, decoder, watch);
    if (!music) return tl::make_unexpected(with_context(music.error(), engine.model_path));
    if (interrupted()) break;
    if (music->stuck) {
      made.stuck.push_back(settings.seed);
      continue;
    }
    made.pieces.push_back(piece_of(*music));
    made.notes += static_cast<std::uint64_t>(std::ranges::count_if(music->events, is_note));
    made.ids += music->ids;
    made.generating_seconds += music->generating_seconds;
    made.slides += music->slides;
    made.recoveries += music->recoveries.recoveries;
  }
  if (made.pieces.empty() && !made.stuck.empty() && !interrupted())
    return fail(ErrorCode::kUnsupported, "the music stood still; another --seed or a higher --temperature helps",
                fmt::format("seed {}", made.stuck.front()));
  return made;
}

/// A speed, and what it is good for with each buffer.
struct Row {
  std::string name;
  double speed;
  std::vector<double> windows, pieces;      // shares, one a buffer
  std::vector<double> dense;                // windows of music as dense as the paper's
  const PublishedRow* published = nullptr;  // the paper's own
};

struct Analysis {
  std::vector<Seconds> buffers;
  std::vector<std::vector<double>> demands;  // one list a buffer
  std::vector<double> each_second;           // the demands without a buffer
  std::vector<Row> rows;
  double density_of_paper = 1;
  double widest_gap = 0;  // to the paper's shares at that density
};

Analysis analyse(const Made& made, std::span<const NamedSpeed> speeds, const std::vector<Seconds>& buffers) {
  Analysis analysis;
  analysis.buffers = buffers;
  for (const Seconds buffer : buffers) analysis.demands.push_back(window_demands(made.pieces, buffer));
  analysis.each_second = window_demands(made.pieces, Seconds(0));
  analysis.density_of_paper = density_of_the_paper(analysis.each_second);
  const auto add = [&](std::string name, double speed, const PublishedRow* published) {
    Row& row = analysis.rows.emplace_back(Row{std::move(name), speed, {}, {}, {}, published});
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      row.dense.push_back(streamable_share(analysis.demands[i], speed / analysis.density_of_paper));
      row.windows.push_back(streamable_share(analysis.demands[i], speed));
      row.pieces.push_back(playing_share(made.pieces, speed, buffers[i]));
    }
  };
  for (const NamedSpeed& speed : speeds) add(speed.name, speed.speed, nullptr);
  for (const PublishedRow& row : published_rows()) add(std::string(row.name), row.speed, &row);
  for (const PublishedRow& row : published_rows()) {
    const double ours = streamable_share(analysis.each_second, row.speed / analysis.density_of_paper);
    analysis.widest_gap = std::max(analysis.widest_gap, std::abs(ours - row.share));
  }
  return analysis;
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// --- Reports --------------------------------------------------------------------------------------------------------

std::string per_cent(double share) {
  return fmt::format("{:.1f} %", 100 * share);
}

/// The table in Markdown, its columns aligned for a terminal.
std::string table_of(const Analysis& analysis) {
  std::vector<std::vector<std::string>> lines = {{"", "tokens/s"}};
  const std::string dense = fmt::format("x{:.2f}", analysis.density_of_paper);
  for (const std::string& what : {std::string("windows"), std::string("pieces"), dense})
    for (const Seconds buffer : analysis.buffers) lines[0].push_back(fmt::format("{}, {:g} s", what, buffer.count()));
  lines[0].insert(lines[0].end(), {"paper, 0 s", "paper, 2 s"});
  for (const Row& row : analysis.rows) {
    auto& line =
        lines.emplace_back(std::vector{printable(row.name), fmt::format("{:g}", std::round(10 * row.speed) / 10)});
    for (const auto* shares : {&row.windows, &row.pieces, &row.dense})
      for (const double share : *shares) line.push_back(per_cent(share));
    line.push_back(row.published ? per_cent(row.published->share) : "");
    line.push_back(row.published ? per_cent(row.published->share_buffered) : "");
  }
  std::vector<std::size_t> widths(lines[0].size());
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string table;
  for (std::size_t number = 0; number < lines.size(); ++number) {
    table += '|';
    for (std::size_t i = 0; i < widths.size(); ++i)
      table += i == 0 ? fmt::format(" {:<{}} |", lines[number][i], widths[i])
                      : fmt::format(" {:>{}} |", lines[number][i], widths[i]);
    table += '\n';
    if (number > 0) continue;
    table += '|';
    for (std::size_t i = 0; i < widths.size(); ++i)
      table += i == 0 ? fmt::format("{:-<{}}|", "", widths[i] + 2) : fmt::format("{:-<{}}:|", "", widths[i] + 1);
    table += '\n';
  }
  return table;
}

void print_report(const StreamabilityArguments& arguments, std::uint64_t seed, const Engine& engine, const Made& made,
                  const Analysis& analysis, std::FILE* out) {
  const auto& each_second = analysis.each_second;
  const std::size_t count = made.pieces.size() + made.stuck.size();
  fmt::print(out, "{} of {:g} s by {}, seed{} {}{}\n", counted(made.pieces.size(), "piece"), arguments.seconds,
             engine.model_path, count > 1 ? "s" : "",
             count > 1 ? fmt::format("{} to {}", seed, seed + count - 1) : fmt::format("{}", seed),
             made.stuck.empty() ? "" : fmt::format(" but {}, whose music stood still", fmt::join(made.stuck, ", ")));
  fmt::print(out, "{}: {:.1f} tokens a second on average, {:.0f} half of the time, at most {:.0f}\n",
             counted(each_second.size(), "window"), mean_of(each_second), speed_needed(each_second, 0.5),
             speed_needed(each_second, 1));
  fmt::print(out,
             "generated: {:.1f} tokens a second, slides of the window and what was taken back ({} times) included\n\n",
             made.speed(), made.recoveries);
  fmt::print(out, "{}\n", table_of(analysis));
  fmt::print(out,
             "windows: what a second of music takes, with the buffer's before it, is generated in that time\n"
             "pieces: the whole piece plays without a gap once the buffer is full\n"
             "x{:.2f}: the windows if our music were that much denser; paper: what it found with its own music\n",
             analysis.density_of_paper);
  for (const double share : {0.95, 0.99}) {
    std::string needed;
    for (std::size_t i = 0; i < analysis.buffers.size(); ++i)
      needed += fmt::format("{}{:.0f} tokens/s with {:g} s", i == 0 ? "" : ", ",
                            speed_needed(analysis.demands[i], share), analysis.buffers[i].count());
    fmt::print(out, "{:.0f} % of the windows need {}\n", 100 * share, needed);
  }
  fmt::print(
      out,
      "the paper's speeds give its shares (0 s), to {:.1f} points, if its music had {:.2f} times our tokens a second\n",
      100 * analysis.widest_gap, analysis.density_of_paper);
  if (!arguments.plot.empty() && arguments.plot != "-")
    fmt::print(out, "{}: how the windows are distributed\n", arguments.plot);
}

nlohmann::json json_report(const StreamabilityArguments& arguments, std::uint64_t seed, const Engine& engine,
                           const Made& made, const Analysis& analysis) {
  const auto& each_second = analysis.each_second;
  const auto windows_each = static_cast<std::ptrdiff_t>(each_second.size() / made.pieces.size());
  nlohmann::json buffers = nlohmann::json::array(), ours = nlohmann::json::array(), paper = nlohmann::json::array(),
                 pieces = nlohmann::json::array();
  for (std::size_t i = 0; i < analysis.buffers.size(); ++i)
    buffers.push_back({{"seconds", analysis.buffers[i].count()},
                       {"speed_for_95_percent", speed_needed(analysis.demands[i], 0.95)},
                       {"speed_for_99_percent", speed_needed(analysis.demands[i], 0.99)}});
  for (const Row& row : analysis.rows) {
    nlohmann::json described = {{"name", row.name},
                                {"tokens_per_second", row.speed},
                                {"windows_streamable", row.windows},
                                {"pieces_without_gap", row.pieces},
                                {"windows_streamable_at_that_density", row.dense}};
    if (row.published) described["published"] = {row.published->share, row.published->share_buffered};
    (row.published ? paper : ours).push_back(std::move(described));
  }
  for (auto begin = each_second.begin(); begin != each_second.end(); begin += windows_each)
    pieces.push_back(std::vector<int>(begin, begin + windows_each));
  nlohmann::json report = {{"seed", seed},
                           {"generations", made.pieces.size()},
                           {"seeds_left_out", made.stuck},
                           {"seconds", arguments.seconds},
                           {"settings", settings_report(arguments.settings)},
                           {"model", engine.model_path},
                           {"threads", engine.pool->threads()},
                           {"kernels", engine.network->kernels().name},
                           {"notes", made.notes},
                           {"generating_seconds", made.generating_seconds},
                           {"tokens_per_second", made.speed()},
                           {"window_slides", made.slides},
                           {"recoveries", made.recoveries},
                           {"windows", each_second.size()},
                           {"tokens_per_second_of_music",
                            {{"mean", mean_of(each_second)},
                             {"median", speed_needed(each_second, 0.5)},
                             {"highest", speed_needed(each_second, 1)}}},
                           {"buffers", std::move(buffers)},
                           {"speeds", std::move(ours)},
                           {"paper", std::move(paper)},
                           {"density_of_the_paper", analysis.density_of_paper},
                           {"widest_gap_at_that_density", analysis.widest_gap},
                           {"tokens_in_each_second", std::move(pieces)},
                           {"interrupted", interrupted()}};
  if (!arguments.plot.empty()) report["plot"] = arguments.plot;
  return report;
}

std::string plot_of(const Analysis& analysis, const std::string& model) {
  std::vector<DemandCurve> curves;
  for (std::size_t i = 0; i < analysis.buffers.size(); ++i) {
    const double buffer = analysis.buffers[i].count();
    curves.push_back({buffer > 0 ? fmt::format("mean over {:g} s", buffer + 1) : "one second", analysis.demands[i]});
  }
  std::vector<SpeedMark> marks;
  for (const Row& row : analysis.rows) marks.push_back({row.name, row.speed, row.published != nullptr});
  return demand_svg(curves, marks,
                    fmt::format("What the music of {} takes", std::filesystem::path(model).stem().string()));
}

Result<int> streamability(const StreamabilityArguments& arguments) {
  const std::uint64_t seed = arguments.seed ? *arguments.seed : std::random_device{}();
  MIDINF_TRY(check_outputs({.midi = {}, .wav = {}, .roll = arguments.plot}, 1));
  MIDINF_TRY_ASSIGN(engine, load_engine(arguments.model, arguments.threads, {.float_cache = arguments.float_cache}));
  MIDINF_TRY_ASSIGN(made, make_pieces(arguments, seed, engine));
  if (made.pieces.empty()) return kInterrupted;
  std::vector<NamedSpeed> speeds = arguments.speeds;
  if (speeds.empty()) speeds.push_back({"measured here", made.speed()});
  const Analysis analysis = analyse(made, speeds, arguments.buffers);
  if (!arguments.plot.empty()) MIDINF_TRY(write_file_whole(arguments.plot, plot_of(analysis, engine.model_path)));
  std::FILE* out = arguments.plot == "-" ? stderr : stdout;
  if (arguments.json)
    fmt::print(out, "{}\n", to_text(json_report(arguments, seed, engine, made, analysis)));
  else
    print_report(arguments, seed, engine, made, analysis, out);
  return interrupted() ? kInterrupted : kDone;
}

}  // namespace

Result<NamedSpeed> parse_speed(std::string_view text) {
  const std::size_t equals = text.rfind('=');
  const std::string_view number = equals == text.npos ? text : text.substr(equals + 1);
  const auto speed = number_in(number, 0.01, 1e6);
  if (!speed)
    return fail(ErrorCode::kInvalidArgument,
                "no speed; write tokens a second, 0.01 to 1000000, as in 155 or laptop=155", fmt::format("'{}'", text));
  return NamedSpeed{equals == text.npos ? "given" : std::string(text.substr(0, equals)), *speed};
}

Result<std::vector<Seconds>> parse_buffers(std::string_view text) {
  std::vector<Seconds> buffers;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto seconds = number_in(text.substr(begin, end - begin), 0, 600);
    if (!seconds || buffers.size() == kMostBuffers)
      return fail(ErrorCode::kInvalidArgument, "no buffers; write one to four lengths from 0 to 600 s, as in 0,2",
                  fmt::format("'{}'", text));
    buffers.emplace_back(*seconds);
    begin = end + 1;
  }
  return buffers;
}

int run_streamability(const StreamabilityArguments& arguments) {
  const Result<int> done = streamability(arguments);
  return done ? *done : report(done.error());
}

}  // namespace midinf::cli
