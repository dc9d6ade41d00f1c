// What generate reads and writes: the prompt, and for each take a MIDI file, its sound and its picture.
// Must not know: models. Read next: midi/smf_continuation.h, render_wav.h, roll_svg.h.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/note.h"
#include "base/result.h"
#include "render_wav.h"

namespace midinf::cli {

/// The file to continue: as it stands, and as it is heard. Empty: none.
struct PromptFile {
  std::vector<std::byte> bytes;
  std::vector<Note> notes;
};

/// Errors: as read_midi_file; kInvalidArgument without notes; kUnsupported where nothing can come behind it. Its
/// oddities are told on standard error.
Result<PromptFile> read_prompt(const std::string& path);

/// Where the files go; an empty name: no such file. "-": standard output.
struct OutputNames {
  std::string midi, wav, roll;
};

/// The names of one of several takes (1, 2, …): the number stands before the extension. Devices keep their names.
OutputNames of_take(const OutputNames& names, int take);

/// Finds out before the work is done, not after it: a folder that is not there, two files of one name, several takes on
/// standard output.
Result<void> check_outputs(const OutputNames& names, int takes);

/// What has been written.
struct Files {
  std::string midi, wav, roll;  ///< empty: not asked for
  std::optional<RenderReport> sound;
  std::string remark;  ///< WrittenMidi::remark
};

/// Writes the song: the prompt as it was, then the new notes. `quiet`: without a progress bar.
Result<Files> write_files(const OutputNames& names, const PromptFile& prompt, std::span<const Note> made, bool quiet);

}  // namespace midinf::cli
