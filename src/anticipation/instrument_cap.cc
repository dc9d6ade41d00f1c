#include "anticipation/instrument_cap.h"

#include <algorithm>

#include "anticipation/note_rows.h"
#include "tokens/triplets.h"

namespace midinf {

void InstrumentCap::narrow(const StepContext& context, RowRanges& allowed) const {
  if (context.slot != Slot::kNote) return;
  const auto most = static_cast<std::size_t>(most_);
  const InstrumentSet possible = instruments_in(allowed);
  InstrumentSet heard;
  for (std::size_t i = 0; i < std::min(context.window_events, context.history.size()) && heard.count() < most; ++i) {
    const Triplet& event = context.history[context.history.size() - 1 - i];
    if (!is_note(event)) continue;
    const auto instrument = static_cast<std::size_t>(instrument_of(event));
    if (possible[instrument]) heard.set(instrument);
  }
  if (heard.count() >= most) keep_only(notes_and_rest(heard), allowed);
}

}  // namespace midinf
