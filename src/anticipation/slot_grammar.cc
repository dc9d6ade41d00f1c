#include "anticipation/slot_grammar.h"

#include <algorithm>

#include "tokens/vocabulary.h"

namespace midinf {

RowRanges slot_rows(Slot slot) {
  switch (slot) {
    case Slot::kOnset:
      return {kOnsetRows};
    case Slot::kDuration:
      return {kDurationRows};
    case Slot::kNote:
      return {kNoteRows, RowRange{kRest, kRest + 1}};
  }
  return {};
}

void SlotGrammar::narrow(const StepContext& context, RowRanges& allowed) const {
  allowed.intersect(slot_rows(context.slot));
  if (context.slot != Slot::kOnset) return;
  // The window policy re-bases before the range ends, so `earliest` lies inside it; the clamp keeps a caller's mistake
  // from leaving no id at all.
  const auto earliest = std::clamp<std::int64_t>((context.now - context.window_origin).count(), 0, kMaxOnset - 1);
  const TokenId first = kOnsetBase + static_cast<TokenId>(earliest);
  allowed.remove({kOnsetBase, first});
  if (context.history.empty()) allowed.intersect({RowRange{first, first + 1}});
}

}  // namespace midinf
