#include "anticipation/ensemble.h"

#include <algorithm>

#include "base/general_midi.h"

namespace midinf {

namespace {

RowRanges rows_of(std::span<const int> instruments) {
  MIDINF_ASSERT(!instruments.empty());
  InstrumentSet set;
  for (const int instrument : instruments) {
    MIDINF_ASSERT(instrument >= 0 && instrument < kInstruments);
    set.set(static_cast<std::size_t>(instrument));
  }
  return notes_and_rest(set);
}

}  // namespace

Ensemble::Ensemble(std::span<const int> instruments) : NoteRows(rows_of(instruments)) {}

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
