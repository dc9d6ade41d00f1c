// How urgently an instrument that has been silent is called.
// Read next: note_rows.h, frequency_penalty.h.
#pragma once

#include <span>

#include "anticipation/note_rows.h"
#include "anticipation/settings.h"

namespace midinf {

/// Adds `density` × (how long since the instrument last played) to the logits of each instrument's notes, REST's not.
/// How long is counted in events (RESTs too: silence calls everybody; separators and controls not), or in seconds from
/// the onset of its last note to the onset just drawn; at most 1,024 of either. An instrument that has not played
/// counts from the beginning of the history. The history, not the window: the count survives the window's slide.
///
/// Called are the instruments of the ensemble; without one those in the history, or all 129 would be.
class Density : public LogitProcessor {
 public:
  /// Precondition: density is finite, instruments are 0..128.
  Density(double density, DensityUnit unit, std::span<const int> ensemble);
  void edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const override;

 private:
  double density_;
  DensityUnit unit_;
  InstrumentSet ensemble_;
};

}  // namespace midinf
