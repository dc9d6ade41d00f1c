// Notes -> a piano-roll picture (SVG) that a README, a web page or a file manager can show.
// Must not know: the model, MIDI bytes, files. Read next: roll_svg.cc.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/note.h"

namespace midinf::cli {

/// What a picture shows besides the notes.
struct RollOptions {
  /// Headline, UTF-8 (usually the file's name); it is escaped, what is not valid UTF-8 is replaced, and a long one is
  /// cut. Empty: "Piano roll".
  std::string title;
  /// Where the prompt ends and the new music begins: a labelled line stands there. Beyond the music: no line.
  std::optional<Ticks10ms> prompt_end;
};

/// Draws `notes` (any order, overlaps welcome) as a complete SVG document, 1200 units wide, on a background of its own.
///
/// Time runs to the right: pieces up to 80 s are one wide row, longer ones wrap like a score, into at most 6 rows. Each
/// instrument has a colour and a legend entry with its GM name and number of notes; drums have a strip of named lanes
/// below the keys. The same notes, in any order, and options give the same bytes.
/// Size: some 20 bytes a note up to 8,000 notes. Beyond that notes are drawn plainer and those that would fall on one
/// spot are merged; of more than 50,000 shapes left every k-th is drawn, so that the text stays below 1 MB for any
/// input. <desc> says so.
/// Errors: none. Precondition: instruments 0..128, pitches 0..127. [any thread]
std::string roll_svg(std::span<const Note> notes, const RollOptions& options = {});

}  // namespace midinf::cli
