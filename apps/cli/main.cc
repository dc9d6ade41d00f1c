// The command line: what can be typed, checked, and handed to one command. Read next: generate_command.cc.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <functional>
#include <new>

#include "bench_command.h"
#include "convert_command.h"
#include "generate_command.h"
#include "info_command.h"
#include "midi_commands.h"
#include "score_command.h"
#include "serve_command.h"
#include "settings_options.h"
#include "streamability_command.h"
#include "terminal.h"

namespace {

using namespace midinf;
using namespace midinf::cli;

// CLI11 takes -1, and what does not fit, for the largest seed.
CLI::Validator whole_number() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        std::uint64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && stop == end) return {};
        return fmt::format("'{}' is no whole number from 0 to 2^64 - 1", text);
      },
      "0..2^64-1");
}

/// A command's arguments live as long as the parser that fills them; `run` is what the chosen command does.
using Run = std::function<int()>;

template <class Arguments>
void add_model_options(CLI::App& command, const std::shared_ptr<Arguments>& arguments) {
  command
      .add_option("--model", arguments->model,
                  "a .gguf file or a checkpoint folder; else MIDINFINITE_MODEL, else the model beside the program")
      ->type_name("FILE");
  command
      .add_option("--threads", arguments->threads,
                  "compute threads; the music does not depend on it (one per processor, at most 4)")
      ->check(between(1, 64))
      ->type_name("N");
  command
      .add_option_function<std::string>(
          "--kv-cache", [arguments](const std::string& type) { arguments->float_cache = type == "f32"; },
          "how a quantised model keeps attention's keys and values: i8, or f32 in four times the memory (i8)")
      ->check(CLI::IsMember({"i8", "f32"}));
}

void add_recover_option(CLI::App& command, Settings& settings) {
  command
      .add_option("--recover", settings.recover,
                  "leave music that has died (silence, one bar for ever) by going back and on differently")
      ->default_str("on")
      ->type_name("on|off");
}

Run add_generate(CLI::App& command) {
  const auto arguments = std::make_shared<GenerateArguments>();
  command
      .add_option("-o,--output", arguments->output,
                  "the MIDI file to write, - for standard output (midinfinite-SEED.mid)")
      ->type_name("FILE");
  CLI::Option* seconds = command.add_option("--seconds", arguments->seconds, "length of the new music")
                             ->check(between(0.01, 1e6))
                             ->capture_default_str()
                             ->type_name("S");
  command.add_option("--notes", arguments->notes, "stop after so many new notes instead")
      ->check(between(1, 1e6))
      ->excludes(seconds)
      ->type_name("N");
  CLI::Option* prompt =
      command
          .add_option("--prompt", arguments->prompt,
                      "a MIDI file to continue from its last onset; everything in it stands unchanged")
          ->type_name("FILE");
  command
      .add_option_function<std::string>(
          "--start", [arguments](const std::string& where) { arguments->from_middle = where == "middle"; },
          "begin as a piece begins, or as if one were under way (piece)")
      ->check(CLI::IsMember({"piece", "middle"}))
      ->excludes(prompt);
  add_settings_options(command, arguments->settings);
  command.add_option("--seed", arguments->seed, "the same seed and settings make the same music (a fresh one)")
      ->check(whole_number())
      ->type_name("N");
  command
      .add_option("--takes", arguments->takes,
                  "make so many pieces, each with the next seed; files get -1, -2 … before their extension")
      ->check(between(1, 1'000))
      ->capture_default_str()
      ->type_name("K");
  add_recover_option(command, arguments->settings);
  command
      .add_option("--velocity", arguments->velocity,
                  "how hard every new note is struck; 0 with the accents of a player")
      ->check(between(0, 127))
      ->capture_default_str()
      ->type_name("V");
  command.add_option("--wav", arguments->wav, "also render the song to this WAV file")->type_name("FILE");
  command.add_option("--roll", arguments->roll, "also draw its piano roll to this SVG file")->type_name("FILE");
  add_model_options(command, arguments);
  command.add_flag("--json", arguments->json, "report as JSON");
  return [arguments] { return run_generate(*arguments); };
}

Run add_tokens(CLI::App& command) {
  const auto arguments = std::make_shared<TokensArguments>();
  command.add_option("file", arguments->file, "a MIDI file, or with --to-midi a text; - for standard input")
      ->required()
      ->type_name("FILE");
  CLI::Option* json = command.add_flag("--json", arguments->json, "as a JSON array of triplets");
  CLI::Option* to_midi =
      command.add_flag("--to-midi", arguments->to_midi, "read back what this command prints (# begins a comment)")
          ->excludes(json);
  command.add_option("-o,--output", arguments->output, "the MIDI file to write (standard output)")
      ->needs(to_midi)
      ->type_name("FILE");
  return [arguments] { return run_tokens(*arguments); };
}

Run add_roll(CLI::App& command) {
  const auto arguments = std::make_shared<RollArguments>();
  command.add_option("file", arguments->file, "a MIDI file, - for standard input")->required()->type_name("FILE.mid");
  command
      .add_option("-o,--output", arguments->output, "the SVG file, - for standard output (the file's name with .svg)")
      ->type_name("FILE");
  command.add_flag("--json", arguments->json, "report as JSON");
  return [arguments] { return run_roll(*arguments); };
}

Run add_score(CLI::App& command) {
  const auto arguments = std::make_shared<ScoreArguments>();
  command.add_option("files", arguments->files, "MIDI files, or with --tokens rows of 1,024 uint16 ids")
      ->required()
      ->type_name("FILE");
  command.add_flag("--tokens", arguments->tokens, "the files hold rows of ids");
  command.add_flag("--exact", arguments->exact,
                   "float32 arithmetic, instead of the 7 and 8 bits with which a quantised model plays");
  add_model_options(command, arguments);
  command.add_flag("--json", arguments->json, "report as JSON");
  return [arguments] { return run_score(*arguments); };
}

Run add_bench(CLI::App& command) {
  const auto arguments = std::make_shared<BenchArguments>();
  CLI::Option* seconds = command.add_option("--seconds", arguments->seconds, "length of the music made in each round")
                             ->check(between(0.01, 1e6))
                             ->capture_default_str()
                             ->type_name("S");
  command.add_option("--notes", arguments->notes, "music of so many notes instead")
      ->check(between(1, 1e6))
      ->excludes(seconds)
      ->type_name("N");
  command
      .add_option("--rounds", arguments->rounds,
                  "measure everything so often, in turns; the best and the median are reported")
      ->check(between(1, 10'000))
      ->capture_default_str()
      ->type_name("N");
  command.add_option("--only", arguments->only, "measure only these, commas between them (all)")
      ->delimiter(',')
      ->check(CLI::IsMember(kBenchParts))
      ->type_name("PART");
  command
      .add_option("--notes-per-second", arguments->notes_per_second,
                  "hold the music to about so many notes a second: for random weights, which know no time")
      ->check(between(1, 50))
      ->type_name("N");
  add_model_options(command, arguments);
  command.add_flag("--json", arguments->json, "report as JSON");
  return [arguments] { return run_bench(*arguments); };
}

Run add_convert(CLI::App& command) {
  const auto arguments = std::make_shared<ConvertArguments>();
  command.add_option("source", arguments->source, "a Hugging Face folder, a .safetensors, .bin or .gguf file")
      ->required()
      ->type_name("SRC");
  command.add_option("destination", arguments->destination, "the .gguf file to write, - for standard output")
      ->required()
      ->type_name("DST");
  command.add_option("--type", arguments->type, "how matrices are stored")
      ->check(CLI::IsMember({"f32", "f16", "q8_0", "q4_0"}))
      ->capture_default_str();
  command
      .add_option(
          "--calibration", arguments->calibration,
          "for q4_0: rows of 1,024 ids (uint16) of music like what the model learned, by which errors are made good")
      ->type_name("ROWS.u16");
  command
      .add_option("--metadata", arguments->metadata, "a JSON file of keys to write into it (general.*, midinfinite.*)")
      ->type_name("FILE");
  command.add_flag("--json", arguments->json, "report as JSON");
  return [arguments] { return run_convert(*arguments); };
}

Run add_info(CLI::App& command) {
  const auto arguments = std::make_shared<InfoArguments>();
  command.add_option("file", arguments->file, "a .gguf file or a checkpoint folder or file")
      ->required()
      ->type_name("FILE");
  command.add_flag("--json", arguments->json, "report as JSON");
  return [arguments] { return run_info(*arguments); };
}

Run add_streamability(CLI::App& command) {
  const auto arguments = std::make_shared<StreamabilityArguments>();
  command.add_option("--generations", arguments->generations, "how many pieces to generate from scratch")
      ->check(between(1, 100'000))
      ->capture_default_str()
      ->type_name("N");
  command.add_option("--seconds", arguments->seconds, "length of each")
      ->check(between(1, 86'400))
      ->capture_default_str()
      ->type_name("S");
  command
      .add_option_function<std::vector<std::string>>(
          "--speed",
          [arguments](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              auto speed = parse_speed(text);
              if (!speed) throw CLI::ValidationError("--speed", speed.error().to_string());
              arguments->speeds.push_back(*std::move(speed));
            }
          },
          "tokens a second to judge instead of the speed measured, any number of them, named if you like: laptop=155")
      ->type_name("TOK/S");
  command
      .add_option_function<std::string>(
          "--buffer",
          [arguments](const std::string& text) {
            auto buffers = parse_buffers(text);
            if (!buffers) throw CLI::ValidationError("--buffer", buffers.error().to_string());
            arguments->buffers = *std::move(buffers);
          },
          "seconds of music that are there before it plays")
      ->default_str("0,2")
      ->type_name("S,S");
  command.add_option("--plot", arguments->plot, "also draw how the windows are distributed to this SVG file")
      ->type_name("FILE");
  add_settings_options(command, arguments->settings);
  command.add_option("--seed", arguments->seed, "of the first piece, the next one's is one more (a fresh one)")
      ->check(whole_number())
      ->type_name("N");
  add_recover_option(command, arguments->settings);
  add_model_options(command, arguments);
  command.add_flag("--json", arguments->json, "report as JSON");
  return [arguments] { return run_streamability(*arguments); };
}

Run add_serve(CLI::App& command) {
  const auto arguments = std::make_shared<ServeArguments>();
  command.add_option("--port", arguments->port, "the port on 127.0.0.1; 0 takes one that is free")
      ->check(between(0, 65'535))
      ->capture_default_str()
      ->type_name("N");
  command
      .add_option("--app", arguments->app,
                  "the built app; else MIDINFINITE_APP, else app beside the program or under share/midinfinite")
      ->type_name("FOLDER");
  command.add_flag("--open", arguments->open, "show it in the browser, where there is a desktop");
  command.add_flag("--json", arguments->json, "report as JSON");
  return [arguments] { return run_serve(*arguments); };
}

}  // namespace

int main(int argc, char** argv) {
  catch_interrupts();
  CLI::App app("midinfinite: endless multi-instrument music, generated on your own machine.", "midinfinite");
  app.set_version_flag("--version", "midinfinite " MIDINF_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(32);
  std::vector<std::pair<CLI::App*, Run>> commands;
  const auto add = [&](const char* name, const char* purpose, Run (*options)(CLI::App&)) {
    CLI::App* command = app.add_subcommand(name, purpose);
    commands.emplace_back(command, options(*command));
  };
  add("generate", "make music, from scratch or continuing a MIDI file", add_generate);
  add("tokens", "print the event ids of a MIDI file, one triplet a line, or read them back", add_tokens);
  add("roll", "draw the piano roll of a MIDI file", add_roll);
  add("score", "negative log-likelihood of music under a model, in nats", add_score);
  add("bench", "how fast a model runs here, and what part of the memory's speed that is", add_bench);
  add("convert", "make a .gguf file of a checkpoint", add_convert);
  add("info", "say what a model file is", add_info);
  add("streamability", "how often music can play while it is being generated", add_streamability);
  add("serve", "serve the web app to the browsers of this machine until Ctrl-C", add_serve);
  if (!kCanServe) commands.back().first->group("");  // not listed; typed, it says why
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    return app.exit(wanted);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "midinfinite: {} (--help lists what there is)\n", error.what());
    return kWrongUsage;
  }
  try {
    for (const auto& [command, run] : commands)
      if (*command) return run();
  } catch (const std::bad_alloc&) {
    return report(Error{ErrorCode::kIo, "there is not enough memory for this", {}});
  }
  return kWrongUsage;
}
