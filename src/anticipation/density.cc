#include "anticipation/density.h"

#include <algorithm>
#include <array>

#include "tokens/triplets.h"

namespace midinf {
namespace {

constexpr double kLongest = 1'024;  // events, or seconds: as many events as a processor sees

// By instrument: how long it has been silent, or 0 if it is not called.
std::array<double, kInstruments> silences(const StepContext& context, DensityUnit unit, const InstrumentSet& ensemble) {
  std::array<double, kInstruments> silence;
  silence.fill(-1);  // not heard yet, going back in time
  const Ticks10ms onset = context.window_origin + Ticks10ms(context.drawn.onset - kOnsetBase);
  double events = 0, beginning = 0;
  for (auto event = context.history.rbegin(); event != context.history.rend(); ++event) {
    if (is_separator(*event) || is_control(*event)) continue;
    const double seconds = std::max(0.0, to_seconds(onset - onset_of(*event)).count());
    if (is_note(*event)) {
      double& since = silence[static_cast<std::size_t>(instrument_of(*event))];
      if (since < 0) since = unit == DensityUnit::kEvents ? events : seconds;
    }
    beginning = unit == DensityUnit::kEvents ? ++events : seconds;
  }
  for (std::size_t instrument = 0; instrument < silence.size(); ++instrument) {
    double& since = silence[instrument];
    if (since < 0) since = ensemble[instrument] ? beginning : 0;
    since = std::min(since, kLongest);
  }
  return silence;
}

}  // namespace

Density::Density(double density, DensityUnit unit, std::span<const int> ensemble) : density_(density), unit_(unit) {
  for (const int instrument : ensemble) ensemble_.set(static_cast<std::size_t>(instrument));
}

void Density::edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const {
  if (context.slot != Slot::kNote) return;
  const auto silence = silences(context, unit_, ensemble_);
  for_each_note(allowed, logits, [&](TokenId id, float& logit) {
    logit = static_cast<float>(logit + density_ * silence[static_cast<std::size_t>((id - kNoteBase) / kPitches)]);
  });
}

}  // namespace midinf
