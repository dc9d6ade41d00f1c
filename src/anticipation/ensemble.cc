#include "anticipation/ensemble.h"

#include <algorithm>

#include "base/general_midi.h"
#include "tokens/vocabulary.h"

namespace midinf {

Ensemble::Ensemble(std::span<const int> instruments) {
  MIDINF_ASSERT(!instruments.empty());
  for (const int instrument : instruments) {
    MIDINF_ASSERT(instrument >= 0 && instrument < kInstruments);
    rows_.add(instrument_rows(instrument));
  }
  rows_.add({kRest, kRest + 1});
}

void Ensemble::narrow(const StepContext& context, RowRanges& allowed) const {
  if (context.slot == Slot::kNote) allowed.intersect(rows_);
}

Result<std::vector<int>> parse_ensemble(std::string_view text) {
  std::vector<int> instruments;
  while (true) {
    const std::size_t comma = text.find(',');
    MIDINF_TRY_ASSIGN(found, find_instruments(text.substr(0, comma)));
    instruments.insert(instruments.end(), found.begin(), found.end());
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  std::sort(instruments.begin(), instruments.end());
  instruments.erase(std::unique(instruments.begin(), instruments.end()), instruments.end());
  return instruments;
}

}  // namespace midinf
