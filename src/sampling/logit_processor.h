// What may stand between the network's logits and the id that is drawn.
// Must not know: notes, networks. Read next: filters.h, anticipation/slot_grammar.h (processors that know music),
// draw.h.
#pragma once

#include <cstddef>
#include <span>

#include "base/row_ranges.h"
#include "base/time.h"
#include "base/token.h"

namespace midinf {

/// Everything a processor may look at. It is a value of the moment: a processor keeps no state of its own, so
/// rewinding, taking several takes from one point and batching cost it nothing.
struct StepContext {
  /// The latest events, at most 1,024, oldest first, onsets in stream time (steps of 10 ms since the stream began; they
  /// may exceed the vocabulary's onset ids). RESTs and separators stand in it too.
  std::span<const Triplet> history;
  /// How many of them, from the end, the network sees.
  std::size_t window_events = 0;
  /// The stream time that the network knows as onset 0: onset id = stream time - window_origin.
  Ticks10ms window_origin;
  /// No event may begin before this stream time.
  Ticks10ms now;
  /// Which id of the event is to be drawn, and those already drawn (onset in the network's time).
  Slot slot = Slot::kOnset;
  Triplet drawn;
};

/// One rule or taste. The chain first lets every processor narrow the set of ids, so that only those rows of the output
/// head are computed, then lets every one edit their logits, in order. Pure: same arguments, same result. [worker]
class LogitProcessor {
 public:
  virtual ~LogitProcessor() = default;

  /// Takes ids out of `allowed`. Must leave at least one wherever it finds at least one; never adds any.
  virtual void narrow(const StepContext& context, RowRanges& allowed) const {
    static_cast<void>(context), static_cast<void>(allowed);
  }

  /// Changes the logits of the ids in `allowed`, packed in its order; -infinity forbids one. At least one stays finite.
  virtual void edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const {
    static_cast<void>(context), static_cast<void>(allowed), static_cast<void>(logits);
  }
};

}  // namespace midinf
