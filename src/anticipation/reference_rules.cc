#include "anticipation/reference_rules.h"

#include <algorithm>
#include <bitset>

#include "anticipation/slot_grammar.h"
#include "base/note.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

constexpr std::size_t kMostInstruments = 15;

}  // namespace

RowRanges reference_slot_rows(Slot slot) {
  RowRanges rows = slot_rows(slot);
  rows.add({kRest, kRest + 1});
  return rows;
}

void ReferenceRules::narrow(const StepContext& context, RowRanges& allowed) const {
  if (context.slot == Slot::kOnset) {
    const auto earliest = (context.now - context.window_origin).count();
    allowed.remove({kOnsetBase, kOnsetBase + static_cast<TokenId>(std::clamp<std::int64_t>(earliest, 0, kMaxOnset))});
  }
  if (context.slot != Slot::kNote) return;
  std::bitset<kInstruments + 1> heard;  // the last bit is REST
  for (const Triplet& event : context.history) {
    if (event.note >= kSeparator) continue;
    const TokenId note = is_control(event) ? event.note - kControlBase : event.note;
    heard.set(static_cast<std::size_t>((note - kNoteBase) / kPitches));
  }
  if (heard.count() < kMostInstruments) return;
  for (int instrument = 0; instrument < kInstruments; ++instrument)
    if (!heard[static_cast<std::size_t>(instrument)]) allowed.remove(instrument_rows(instrument));
  if (!heard[kInstruments]) allowed.remove({kRest, kRest + 1});
}

}  // namespace midinf
