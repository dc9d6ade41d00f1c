// Notes <-> triplets of ids <-> flat lists of ids.
// Must not know: MIDI, networks, windows. An onset here may pass the 9,999 of the vocabulary: only windows are bounded
// (anticipation/window.h). So an onset id alone does not tell an event from a control; the third id of a triplet does.
// Read next: operations.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/note.h"
#include "base/result.h"
#include "base/time.h"
#include "base/token.h"
#include "tokens/vocabulary.h"

namespace midinf {

/// The latest onset of an event list, in steps of 10 ms: 115 days. Leaves room in a TokenId for the control offset.
inline constexpr std::int64_t kMaxSongSteps = 1'000'000'000;

/// What a control's three ids lie above the ids of the event that it announces: 27,513, or 0 for an event.
constexpr TokenId control_offset(const Triplet& t) {
  return is_control(t) ? kControlBase : 0;
}

/// When an event, control or REST begins. Precondition: not a separator.
constexpr Ticks10ms onset_of(const Triplet& t) {
  return Ticks10ms(t.onset - control_offset(t) - kOnsetBase);
}
/// How long it lasts. Precondition: not a separator.
constexpr Ticks10ms duration_of(const Triplet& t) {
  return Ticks10ms(t.duration - control_offset(t) - kDurationBase);
}
/// Who plays, 0..128. Precondition: a note or a control.
constexpr int instrument_of(const Triplet& t) {
  return (t.note - control_offset(t) - kNoteBase) / kPitches;
}
/// Which key, 0..127. Precondition: a note or a control.
constexpr int pitch_of(const Triplet& t) {
  return (t.note - control_offset(t) - kNoteBase) % kPitches;
}

/// True when each id stands in its own block (any onset up to kMaxSongSteps), all as an event or all as a control, or
/// when all three are SEPARATOR.
constexpr bool is_well_formed(const Triplet& t) {
  if (is_separator(t)) return t == kSeparatorTriplet;
  const TokenId offset = control_offset(t);
  const TokenId duration = t.duration - offset;
  const bool note = t.note - offset >= kNoteBase && t.note <= offset + kRest;  // no control is a REST: see is_control
  return note && duration >= kDurationRows.begin && duration < kDurationRows.end && t.onset >= offset + kOnsetBase &&
         t.onset - offset - kOnsetBase <= kMaxSongSteps;
}

/// The events of `notes`, one each, in their order. Durations are cut to 999 steps; velocity is dropped.
/// Precondition: 0 <= onset <= kMaxSongSteps, 0 <= duration, instrument <= 128, pitch <= 127. [any thread]
/// Source: anticipation/convert.py@af37397 compound_to_events.
std::vector<Triplet> to_triplets(std::span<const Note> notes);

/// The notes of `triplets`, in their order: REST is dropped, a control counts as its event, and what stands after a
/// separator begins where the latest note before it ended. Every note gets the default velocity.
/// Precondition: every triplet is well formed. [any thread]
/// Source: anticipation/convert.py@af37397 events_to_compound, which takes onset ids past 27,512 for controls.
std::vector<Note> to_notes(std::span<const Triplet> triplets);

/// The ids of `triplets` one after the other. [any thread]
std::vector<TokenId> flatten(std::span<const Triplet> triplets);

/// Checks triplets from outside, one after the other. [any thread]
class TripletCheck {
 public:
  /// Errors, both kCorrupt: `t` is not well formed, or the pieces up to it together pass kMaxSongSteps.
  Result<void> next(const Triplet& t);

 private:
  std::int64_t piece_start_ = 0;
  std::int64_t latest_end_ = 0;
};

/// The triplets of a flat list of ids from outside. Errors, both kCorrupt: a count that is not a multiple of three; a
/// triplet that is not well formed, or whose pieces together pass kMaxSongSteps, named by its number. [any thread]
Result<std::vector<Triplet>> triplets_from_ids(std::span<const TokenId> ids);

}  // namespace midinf
