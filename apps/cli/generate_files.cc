#include "generate_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "midi/smf_continuation.h"
#include "midi/smf_reader.h"
#include "midi/smf_writer.h"
#include "roll_svg.h"
#include "terminal.h"

namespace midinf::cli {
namespace {

Result<void> check_folder(const std::string& path) {
  if (path.empty() || path == "-") return {};
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return fail(ErrorCode::kIo, "it is a folder; name a file in it", path);
  const auto folder = std::filesystem::path(path).parent_path();
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK) == 0) return {};
  return fail(ErrorCode::kIo, "its folder does not exist or cannot be written to; create it or choose another", path);
}

bool is_device(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_character_file(path, ignored);  // /dev/null may stand for all of them
}

// Two names of one file have one place, whatever folders and links they go through.
std::string place_of(const std::string& path) {
  std::error_code error;
  const auto place = std::filesystem::weakly_canonical(std::filesystem::absolute(path), error);
  return path == "-" || error ? path : place.string();
}

std::string of_take(const std::string& name, int take) {
  if (name.empty() || is_device(name)) return name;
  std::filesystem::path path(name);
  const std::string extension = path.extension().string();
  return path.replace_extension().string() + fmt::format("-{}{}", take, extension);
}

}  // namespace

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

OutputNames of_take(const OutputNames& names, int take) {
  return {of_take(names.midi, take), of_take(names.wav, take), of_take(names.roll, take)};
}

// Two files under one name would leave the later one only.
Result<void> check_outputs(const OutputNames& names, int takes) {
  std::set<std::string> seen;
  for (const std::string& path : {names.midi, names.wav, names.roll}) {
    MIDINF_TRY(check_folder(path));
    if (path == "-" && takes > 1)
      return fail(ErrorCode::kInvalidArgument, "several takes do not fit into it; name a file", "standard output");
    if (!path.empty() && !is_device(path) && !seen.insert(place_of(path)).second)
      return fail(ErrorCode::kInvalidArgument, "two of --output, --wav and --roll name it; give each a name of its own",
                  path == "-" ? "standard output" : path);
  }
  return {};
}

Result<Files> write_files(const OutputNames& names, const PromptFile& prompt, std::span<const Note> made, bool quiet) {
  Files files;
  files.midi = names.midi;
  WrittenMidi written;
  if (prompt.bytes.empty()) {
    written = write_midi(made);
  } else {
    MIDINF_TRY_ASSIGN(continued, continue_midi(prompt.bytes, made));
    written = std::move(continued);
  }
  files.remark = written.remark;
  MIDINF_TRY(write_file_whole(files.midi, written.bytes));
  if (!names.roll.empty()) {
    const std::string title = files.midi == "-" ? "midinfinite" : std::filesystem::path(files.midi).stem().string();
    std::vector<Note> song = prompt.notes;
    song.insert(song.end(), made.begin(), made.end());
    std::optional<Ticks10ms> prompt_end;
    if (!prompt.notes.empty()) prompt_end = prompt.notes.back().onset;
    MIDINF_TRY(write_file_whole(names.roll, roll_svg(song, {.title = title, .prompt_end = prompt_end})));
    files.roll = names.roll;
  }
  if (!names.wav.empty()) {
    Progress progress("rendering sound", quiet);
    const bool already_interrupted = interrupted();  // then what was generated is still rendered
    MIDINF_TRY_ASSIGN(sound, render_wav(written.bytes, names.wav, {.progress = [&](double fraction) {
                                          progress.update(fraction);
                                          return already_interrupted || !interrupted();
                                        }}));
    files.sound = sound;
    files.wav = names.wav;
  }
  return files;
}

}  // namespace midinf::cli
