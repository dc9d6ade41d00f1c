#include "anticipation/polyphony.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "anticipation/note_rows.h"
#include "tokens/triplets.h"

namespace midinf {

void Polyphony::narrow(const StepContext& context, RowRanges& allowed) const {
  if (context.slot != Slot::kOnset) return;
  std::vector<Ticks10ms> ends;
  for (const Triplet& event : context.history) {
    if (!is_note(event)) continue;
    const Ticks10ms end = onset_of(event) + std::max(duration_of(event), Ticks10ms(1));
    if (end > context.now) ends.push_back(end);
  }
  if (ends.size() < static_cast<std::size_t>(most_)) return;
  // No note of the history begins after `now`, so from there on they only end: when the `most_`-th from last has
  // ended, fewer than `most_` are left.
  const auto last = ends.begin() + (most_ - 1);
  std::nth_element(ends.begin(), last, ends.end(), std::greater<>());
  wait_until(*last, context, allowed);
}

}  // namespace midinf
