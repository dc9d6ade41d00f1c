#include "anticipation/settings.h"

#include <fmt/format.h>

#include "anticipation/density.h"
#include "anticipation/ensemble.h"
#include "anticipation/frequency_penalty.h"
#include "anticipation/instrument_cap.h"
#include "anticipation/pace.h"
#include "anticipation/pitch_ranges.h"
#include "anticipation/polyphony.h"
#include "anticipation/reference_rules.h"
#include "anticipation/scale.h"
#include "anticipation/slot_grammar.h"
#include "base/general_midi.h"
#include "sampling/filters.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

using Chain = std::vector<std::shared_ptr<const LogitProcessor>>;

// NaN lies in no range.
template <class Number>
Result<void> check_range(const char* what, Number value, Number lowest, Number highest) {
  if (value >= lowest && value <= highest) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} is no number from {} to {}", value, lowest, highest), what);
}

Result<void> check_pitch_ranges(std::span<const PitchRange> ranges) {
  InstrumentSet seen;
  for (const PitchRange& range : ranges) {
    MIDINF_TRY(check_range("pitch range, instrument", range.instrument, 0, kInstruments - 1));
    const std::string what = fmt::format("pitch range of {}", instrument_name(range.instrument));
    MIDINF_TRY(check_range(what.c_str(), range.highest, 0, kPitches - 1));
    MIDINF_TRY(check_range(what.c_str(), range.lowest, 0, range.highest));
    if (seen[static_cast<std::size_t>(range.instrument)])
      return fail(ErrorCode::kInvalidArgument, "an instrument has at most one", what);
    seen.set(static_cast<std::size_t>(range.instrument));
  }
  return {};
}

// Who may play which keys, whatever has been played.
void add_fixed_rules(const Settings& settings, Chain& chain) {
  if (!settings.ensemble.empty()) chain.push_back(std::make_shared<Ensemble>(settings.ensemble));
  if (!settings.pitch_ranges.empty()) chain.push_back(std::make_shared<PitchRanges>(settings.pitch_ranges));
  if (settings.scale != kAllPitchClasses) chain.push_back(std::make_shared<Scale>(settings.scale));
}

Result<void> check_some_key_is_left(const Settings& settings) {
  Chain rules;
  add_fixed_rules(settings, rules);
  RowRanges notes = slot_rows(Slot::kNote);
  for (const auto& rule : rules) rule->narrow({.slot = Slot::kNote}, notes);
  if (instruments_in(notes).any()) return {};
  return fail(ErrorCode::kInvalidArgument,
              "together they leave no instrument a key to play; widen a range or take another scale",
              "ensemble, pitch ranges, scale");
}

}  // namespace

Result<void> check_settings(const Settings& settings) {
  MIDINF_TRY(check_range("temperature", settings.temperature, 0.0, 10.0));
  MIDINF_TRY(check_range("top-p", settings.top_p, 0.0, 1.0));
  MIDINF_TRY(check_range("top-k", settings.top_k, 0, kVocabulary));
  MIDINF_TRY(check_range("min-p", settings.min_p, 0.0, 1.0));
  for (const int instrument : settings.ensemble)
    MIDINF_TRY(check_range("ensemble, instrument", instrument, 0, kInstruments - 1));
  MIDINF_TRY(check_range("density", settings.density, 0.0, 3.0));
  MIDINF_TRY(check_range("density unit", static_cast<int>(settings.density_unit), 0, 1));
  MIDINF_TRY(check_range("instrument cap", settings.instrument_cap, 0, kInstruments));
  MIDINF_TRY(check_range("frequency penalty", settings.frequency_penalty, -2.0, 2.0));
  MIDINF_TRY(check_range("polyphony", settings.polyphony, 0, kMostPolyphony));
  MIDINF_TRY(check_range("pace", settings.pace, 0, kMostPace));
  MIDINF_TRY(check_range("scale, set of pitch classes", int{settings.scale}, 1, int{kAllPitchClasses}));
  MIDINF_TRY(check_pitch_ranges(settings.pitch_ranges));
  for (const auto& processor : settings.processors)
    if (!processor) return fail(ErrorCode::kInvalidArgument, "one of them is null", "processors");
  return check_some_key_is_left(settings);
}

std::vector<std::shared_ptr<const LogitProcessor>> make_processors(const Settings& settings) {
  Chain chain;
  if (settings.reference)
    chain.push_back(std::make_shared<ReferenceRules>());
  else
    chain.push_back(std::make_shared<SlotGrammar>());
  add_fixed_rules(settings, chain);
  if (settings.polyphony > 0) chain.push_back(std::make_shared<Polyphony>(settings.polyphony));
  if (settings.pace > 0) chain.push_back(std::make_shared<Pace>(settings.pace));
  if (settings.instrument_cap > 0) chain.push_back(std::make_shared<InstrumentCap>(settings.instrument_cap));
  if (settings.density > 0)
    chain.push_back(std::make_shared<Density>(settings.density, settings.density_unit, settings.ensemble));
  if (settings.frequency_penalty != 0) chain.push_back(std::make_shared<FrequencyPenalty>(settings.frequency_penalty));
  chain.insert(chain.end(), settings.processors.begin(), settings.processors.end());
  if (settings.temperature != 1) chain.push_back(std::make_shared<Temperature>(settings.temperature));
  if (settings.top_k > 0) chain.push_back(std::make_shared<TopK>(settings.top_k));
  if (settings.top_p < 1) chain.push_back(std::make_shared<TopP>(settings.top_p));
  if (settings.min_p > 0) chain.push_back(std::make_shared<MinP>(settings.min_p));
  return chain;
}

}  // namespace midinf
