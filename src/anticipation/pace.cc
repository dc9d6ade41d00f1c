#include "anticipation/pace.h"

#include "anticipation/note_rows.h"
#include "tokens/triplets.h"

namespace midinf {

void Pace::narrow(const StepContext& context, RowRanges& allowed) const {
  if (context.slot != Slot::kOnset) return;
  int begun = 0;
  for (auto event = context.history.rbegin(); event != context.history.rend(); ++event) {
    if (!is_note(*event) || ++begun < most_) continue;
    wait_until(onset_of(*event) + Ticks10ms(100), context, allowed);
    return;
  }
}

}  // namespace midinf
