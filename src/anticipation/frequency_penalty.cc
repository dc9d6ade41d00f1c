#include "anticipation/frequency_penalty.h"

#include <algorithm>
#include <vector>

#include "anticipation/note_rows.h"
#include "tokens/triplets.h"

namespace midinf {

void FrequencyPenalty::edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const {
  if (context.slot != Slot::kNote) return;
  std::vector<int> count(static_cast<std::size_t>(kNoteRows.size()));
  for (const Triplet& event : context.history.last(std::min(context.window_events, context.history.size())))
    if (is_note(event)) ++count[static_cast<std::size_t>(event.note - kNoteBase)];
  for_each_note(allowed, logits, [&](TokenId id, float& logit) {
    logit = static_cast<float>(logit - penalty_ * count[static_cast<std::size_t>(id - kNoteBase)]);
  });
}

}  // namespace midinf
