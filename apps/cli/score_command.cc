#include "score_command.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "engine.h"
#include "midi/smf_reader.h"
#include "model_report.h"
#include "score.h"
#include "terminal.h"

namespace midinf::cli {
namespace {

constexpr std::uint64_t kMostTokenBytes = std::uint64_t{1} << 30;

Result<std::vector<Row>> read_rows(const std::string& path, bool tokens) {
  if (!tokens) {
    MIDINF_TRY_ASSIGN(song, read_midi_file(path));
    if (song.notes.empty()) return fail(ErrorCode::kInvalidArgument, "it has no notes to score", path);
    return rows_of_notes(song.notes);
  }
  MIDINF_TRY_ASSIGN(bytes, read_file(path, kMostTokenBytes));
  auto rows = rows_of_ids(bytes);
  if (!rows) return tl::make_unexpected(with_context(rows.error(), path));
  return rows;
}

nlohmann::json to_json(const Score& score) {
  return {{"nats_per_event", score.per_event()},
          {"onset", score.mean(Slot::kOnset)},
          {"duration", score.mean(Slot::kDuration)},
          {"note", score.mean(Slot::kNote)},
          {"events", score.events}};
}

void print_line(const std::string& name, const Score& score) {
  fmt::print("{}: {:.4f} nats per event (onset {:.4f}, duration {:.4f}, note {:.4f}), {} events\n", name,
             score.per_event(), score.mean(Slot::kOnset), score.mean(Slot::kDuration), score.mean(Slot::kNote),
             score.events);
}

Result<int> score(const ScoreArguments& arguments) {
  std::vector<std::vector<Row>> files;
  std::size_t total_rows = 0;
  for (const std::string& path : arguments.files) {
    MIDINF_TRY_ASSIGN(rows, read_rows(path, arguments.tokens));
    total_rows += rows.size();
    files.push_back(std::move(rows));
  }
  MIDINF_TRY_ASSIGN(engine, load_engine(arguments.model, arguments.threads,
                                        {.exact = arguments.exact, .float_cache = arguments.float_cache}));
  Decoder decoder = engine.decoder();
  Progress progress("scoring", arguments.json);
  Score total;
  std::vector<Score> scores;
  std::size_t done = 0;
  for (const auto& rows : files) {
    Score& own = scores.emplace_back();
    for (const Row& row : rows) {
      if (interrupted()) return kInterrupted;
      own += score_row(decoder, row);
      progress.update(static_cast<double>(++done) / static_cast<double>(total_rows));
    }
    total += own;
  }
  if (!std::isfinite(total.per_event()))
    return fail(ErrorCode::kCorrupt, "the model computes infinities or no numbers at all; download or convert it again",
                engine.model_path);
  if (arguments.json) {
    nlohmann::json report = to_json(total);
    report["model"] = engine.model_path;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      report["files"].push_back(to_json(scores[i]));
      report["files"].back()["file"] = arguments.files[i];
    }
    fmt::print("{}\n", to_text(report));
    return kDone;
  }
  for (std::size_t i = 0; i < scores.size(); ++i) print_line(arguments.files[i], scores[i]);
  if (scores.size() > 1) print_line("all", total);
  return kDone;
}

}  // namespace

int run_score(const ScoreArguments& arguments) {
  const Result<int> done = score(arguments);
  return done ? *done : report(done.error());
}

}  // namespace midinf::cli
