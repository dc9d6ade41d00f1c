#include "midi_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <span>

#include "base/file.h"
#include "base/general_midi.h"
#include "midi/smf_reader.h"
#include "midi/smf_writer.h"
#include "model_report.h"
#include "roll_svg.h"
#include "terminal.h"
#include "tokens/triplet_text.h"
#include "tokens/triplets.h"

namespace midinf::cli {
namespace {

Result<MidiSong> read_song(const std::string& path) {
  auto song = read_midi_file(path);
  if (song)
    for (const std::string& warning : song->warnings) fmt::print(stderr, "midinfinite: {}: {}\n", path, warning);
  return song;
}

Result<void> tokens_to_midi(const TokensArguments& arguments) {
  MIDINF_TRY_ASSIGN(bytes, read_file(arguments.file, kMaxTripletTextBytes));
  const auto triplets = triplets_from_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!triplets) return tl::make_unexpected(with_context(triplets.error(), arguments.file));
  std::vector<Note> notes = to_notes(*triplets);
  if (notes.size() > kMaxMidiFileNotes)
    return fail(ErrorCode::kUnsupported, fmt::format("more than {} notes; cut it into parts", kMaxMidiFileNotes),
                arguments.file);
  for (Note& note : notes) note.duration = std::min(note.duration, Ticks10ms(kMaxSongSteps) - note.onset);
  const WrittenMidi written = write_midi(notes);
  MIDINF_TRY(write_file_whole(arguments.output, written.bytes));
  if (arguments.output != "-") fmt::print("{}: {} notes\n", arguments.output, notes.size());
  if (!written.remark.empty()) fmt::print(arguments.output == "-" ? stderr : stdout, "{}\n", written.remark);
  return {};
}

Result<void> tokens(const TokensArguments& arguments) {
  if (arguments.to_midi) return tokens_to_midi(arguments);
  MIDINF_TRY_ASSIGN(song, read_song(arguments.file));
  const std::vector<Triplet> triplets = to_triplets(song.notes);
  if (!arguments.json) return write_file_whole("-", to_text(triplets));
  std::string text = "[";
  for (const Triplet& t : triplets)
    text += fmt::format("{}[{},{},{}]", text.size() == 1 ? "" : ",\n", t.onset, t.duration, t.note);
  return write_file_whole("-", text + "]\n");
}

// "instruments" as `generate` reports them; "parts" says more of each.
nlohmann::json describe_roll(const std::string& file, const std::string& picture, std::span<const Note> notes) {
  Ticks10ms end{0};
  std::map<int, std::size_t> counts;
  for (const Note& note : notes) {
    end = std::max(end, note.onset + note.duration);
    ++counts[note.instrument];
  }
  nlohmann::json instruments = nlohmann::json::array(), parts = nlohmann::json::array();
  for (const auto& [instrument, count] : counts) {
    instruments.push_back(instrument);
    parts.push_back({{"instrument", instrument}, {"name", instrument_name(instrument)}, {"notes", count}});
  }
  return {{"file", file},
          {"roll", picture},
          {"notes", notes.size()},
          {"seconds", to_seconds(end).count()},
          {"instruments", std::move(instruments)},
          {"parts", std::move(parts)}};
}

Result<void> roll(const RollArguments& arguments) {
  MIDINF_TRY_ASSIGN(song, read_song(arguments.file));
  const std::filesystem::path file(arguments.file);
  const std::string output = !arguments.output.empty() ? arguments.output
                             : arguments.file == "-"   ? "-"
                                                       : file.filename().replace_extension(".svg").string();
  MIDINF_TRY(
      write_file_whole(output, roll_svg(song.notes, {.title = file.stem().string(), .prompt_end = std::nullopt})));
  if (arguments.json)
    fmt::print(output == "-" ? stderr : stdout, "{}\n", to_text(describe_roll(arguments.file, output, song.notes)));
  else if (output != "-")
    fmt::print("{}: {} notes\n", output, song.notes.size());
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
