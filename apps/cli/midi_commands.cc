#include "midi_commands.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "midi/smf_reader.h"
#include "roll_svg.h"
#include "terminal.h"
#include "tokens/triplets.h"

namespace midinf::cli {
namespace {

Result<MidiSong> read_song(const std::string& path) {
  auto song = read_midi_file(path);
  if (song)
    for (const std::string& warning : song->warnings) fmt::print(stderr, "midinfinite: {}: {}\n", path, warning);
  return song;
}

Result<void> tokens(const TokensArguments& arguments) {
  MIDINF_TRY_ASSIGN(song, read_song(arguments.file));
  std::string text = arguments.json ? "[" : "";
  const char* separator = "";
  for (const Triplet& event : to_triplets(song.notes)) {
    if (arguments.json)
      text += fmt::format("{}[{},{},{}]", separator, event.onset, event.duration, event.note), separator = ",\n";
    else
      text += fmt::format("{} {} {}\n", event.onset, event.duration, event.note);
  }
  if (arguments.json) text += "]\n";
  return write_file_whole("-", text);
}

Result<void> roll(const RollArguments& arguments) {
  MIDINF_TRY_ASSIGN(song, read_song(arguments.file));
  const std::filesystem::path file(arguments.file);
  const std::string output = !arguments.output.empty() ? arguments.output
                             : arguments.file == "-"   ? "-"
                                                       : file.filename().replace_extension(".svg").string();
  MIDINF_TRY(
      write_file_whole(output, roll_svg(song.notes, {.title = file.stem().string(), .prompt_end = std::nullopt})));
  if (output != "-") fmt::print("{}: {} notes\n", output, song.notes.size());
  return {};
}

int finish(const Result<void>& done) {
  return done ? kDone : report(done.error());
}

}  // namespace

int run_tokens(const TokensArguments& arguments) {
  return finish(tokens(arguments));
}
int run_roll(const RollArguments& arguments) {
  return finish(roll(arguments));
}

}  // namespace midinf::cli
