// The command line: what can be typed, checked, and handed to one command. Read next: generate_command.cc.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>

#include "anticipation/ensemble.h"
#include "generate_command.h"
#include "terminal.h"

namespace {

using namespace midinf;
using namespace midinf::cli;

// CLI::Range lets "nan" pass.
CLI::Validator between(double low, double high) {
  return CLI::Validator(
      [low, high](std::string& text) -> std::string {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && value >= low && value <= high) return {};
        return fmt::format("'{}' is no number from {} to {}", text, low, high);
      },
      fmt::format("{}..{}", low, high));
}

CLI::App* add_generate(CLI::App& app, GenerateArguments& arguments, std::string& ensemble) {
  CLI::App* command = app.add_subcommand("generate", "make music, from scratch or continuing a MIDI file");
  command->add_option("-o,--output", arguments.output, "the MIDI file to write; - is standard output (midinfinite-SEED.mid)");
  command->add_option("--seconds", arguments.seconds, "length of the new music")->check(between(0.01, 1e6))->capture_default_str();
  command->add_option("--ensemble", ensemble, "who may play: GM names, families, drums, numbers, separated by commas");
  command->add_option("--temperature", arguments.temperature, "lower is tamer, 0 always takes the likeliest")
      ->check(between(0, 10))->capture_default_str();
  command->add_option("--top-p", arguments.top_p, "draw only from the likeliest ids that make up this probability")
      ->check(between(0, 1))->capture_default_str();
  command->add_option("--seed", arguments.seed, "the same seed and settings give the same music (random)");
  command->add_option("--model", arguments.model, "a .gguf file or a checkpoint folder (the embedded model)");
  command->add_flag("--json", arguments.json, "report as JSON");
  return command;
}

}  // namespace

int main(int argc, char** argv) {
  catch_interrupts();
  CLI::App app("midinfinite: endless multi-instrument music, generated on your own machine", "midinfinite");
  app.require_subcommand(1);
  GenerateArguments generate;
  std::string ensemble;
  CLI::App* generate_command = add_generate(app, generate, ensemble);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  if (*generate_command) {
    if (!ensemble.empty()) {
      auto parsed = parse_ensemble(ensemble);
      if (!parsed) return report(parsed.error()), kWrongUsage;
      generate.ensemble = *parsed;
    }
    return run_generate(generate);
  }
  return kWrongUsage;
}
