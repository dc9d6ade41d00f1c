#include "generate_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

#include "base/file.h"
#include "base/general_midi.h"
#include "midi/smf_reader.h"
#include "midi/smf_writer.h"
#include "model/checkpoint.h"
#include "model/forward_reference.h"
#include "model_location.h"
#include "stream/generator.h"
#include "terminal.h"
#include "tokens/triplets.h"
#include "tokens/vocabulary.h"

namespace midinf::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Result<int> generate(const GenerateArguments& arguments) {
  const std::uint64_t seed = arguments.seed ? *arguments.seed : std::random_device{}();
  MIDINF_TRY_ASSIGN(model_path, find_model(arguments.model));
  MIDINF_TRY_ASSIGN(checkpoint, open_checkpoint(model_path));
  MIDINF_TRY_ASSIGN(network, ReferenceNetwork::load(*checkpoint));

  Generator generator({.seed = seed,
                       .temperature = arguments.temperature,
                       .top_p = arguments.top_p,
                       .ensemble = arguments.ensemble},
                      begin_piece());
  std::vector<float> logits;
  const LogitSource source = [&](const LogitRequest& request) -> std::span<float> {
    network.read_all(request.context);
    logits = network.logits(request.rows);
    return logits;
  };
  const Ticks10ms end = generator.now() + to_ticks(Seconds(arguments.seconds));
  std::vector<Triplet> events;
  Progress progress("generating", arguments.json);
  const auto start = Clock::now();
  while (!interrupted()) {
    const Triplet event = next_event(generator, source);
    if (Ticks10ms(event.onset) >= end) break;
    events.push_back(event);
    progress.update(static_cast<double>(event.onset) / static_cast<double>(end.count()));
  }
  const double elapsed = seconds_since(start);
  const std::vector<Note> notes = to_notes(events);
  const WrittenMidi written = write_midi(notes);
  const std::string output = arguments.output.empty() ? fmt::format("midinfinite-{}.mid", seed) : arguments.output;
  MIDINF_TRY(write_file_whole(output, written.bytes));
  fmt::print("{}: {} notes, seed {}, generated in {:.1f} s\n", output, notes.size(), seed, elapsed);
  return interrupted() ? kInterrupted : kDone;
}

}  // namespace

int run_generate(const GenerateArguments& arguments) {
  const Result<int> done = generate(arguments);
  return done ? *done : report(done.error());
}

}  // namespace midinf::cli
