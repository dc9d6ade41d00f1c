// Rules that leave the same notes at every step, and what processors share that deal in notes and instruments.
// Must not know: networks, settings. Read next: ensemble.h, pitch_ranges.h, scale.h (rules made of it).
#pragma once

#include <bitset>
#include <utility>

#include "base/note.h"
#include "sampling/logit_processor.h"
#include "tokens/vocabulary.h"

namespace midinf {

/// Instruments 0..128, one bit each.
using InstrumentSet = std::bitset<kInstruments>;

/// Those of which `rows` holds a note.
InstrumentSet instruments_in(const RowRanges& rows);

/// All their notes, and REST.
RowRanges notes_and_rest(const InstrumentSet& instruments);

/// Leaves only `rows` in `allowed`, or all of it where that would leave none.
void keep_only(const RowRanges& rows, RowRanges& allowed);

/// At the onset slot: removes from `allowed` what begins before `earliest`, but never the last: at least one id stays,
/// though it be too early. The window is re-based long before that.
void wait_until(Ticks10ms earliest, const StepContext& context, RowRanges& allowed);

/// Calls change(note id, its logit) for each note in `allowed`, whose logits are packed; not for REST.
template <class Change>
void for_each_note(const RowRanges& allowed, std::span<float> logits, Change change) {
  auto logit = logits.begin();
  for (const RowRange& range : allowed.ranges())
    for (TokenId id = range.begin; id < range.end; ++id, ++logit)
      if (id >= kNoteRows.begin && id < kNoteRows.end) change(id, *logit);
}

/// Narrows the note slot to `rows`, whatever has been played.
class NoteRows : public LogitProcessor {
 public:
  explicit NoteRows(RowRanges rows) : rows_(std::move(rows)) {}
  void narrow(const StepContext& context, RowRanges& allowed) const override;

 private:
  RowRanges rows_;
};

}  // namespace midinf
