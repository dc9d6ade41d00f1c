#include "anticipation/note_rows.h"

#include <algorithm>

namespace midinf {

InstrumentSet instruments_in(const RowRanges& rows) {
  InstrumentSet instruments;
  for (const RowRange& range : rows.ranges()) {
    const TokenId begin = std::max(range.begin, kNoteRows.begin), end = std::min(range.end, kNoteRows.end);
    for (TokenId note = begin; note < end; note += kPitches - (note - kNoteBase) % kPitches)
      instruments.set(static_cast<std::size_t>((note - kNoteBase) / kPitches));
  }
  return instruments;
}

RowRanges notes_and_rest(const InstrumentSet& instruments) {
  RowRanges rows;
  for (int instrument = 0; instrument < kInstruments; ++instrument)
    if (instruments[static_cast<std::size_t>(instrument)]) rows.add(instrument_rows(instrument));
  rows.add({kRest, kRest + 1});
  return rows;
}

void keep_only(const RowRanges& rows, RowRanges& allowed) {
  RowRanges kept = allowed;
  kept.intersect(rows);
  if (!kept.empty()) allowed = std::move(kept);
}

void NoteRows::narrow(const StepContext& context, RowRanges& allowed) const {
  if (context.slot == Slot::kNote) keep_only(rows_, allowed);
}

void wait_until(Ticks10ms earliest, const StepContext& context, RowRanges& allowed) {
  if (allowed.empty()) return;
  const auto first = std::clamp<std::int64_t>((earliest - context.window_origin).count(), 0, kMaxOnset - 1);
  allowed.remove({kOnsetBase, std::min(kOnsetBase + static_cast<TokenId>(first), allowed.ranges().back().end - 1)});
}

}  // namespace midinf
