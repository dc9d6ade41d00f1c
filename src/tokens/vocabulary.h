// The arrival-time vocabulary of the Anticipatory Music Transformer: which id means what (AMT.md, "Vocabulary").
// Must not know: notes, networks. Read next: triplets.h.
#pragma once

#include "base/row_ranges.h"
#include "base/token.h"

namespace midinf {

inline constexpr int kMaxOnset = 10'000;    ///< onsets 0..9,999 steps of 10 ms: a window spans at most 100 s
inline constexpr int kMaxDuration = 1'000;  ///< durations 0..999 steps
inline constexpr int kPitches = 128;
inline constexpr int kContext = 1'024;  ///< ids that a network of this vocabulary reads at once: a flag, 341 triplets

inline constexpr TokenId kOnsetBase = 0;
inline constexpr TokenId kDurationBase = kOnsetBase + kMaxOnset;
inline constexpr TokenId kNoteBase = kDurationBase + kMaxDuration;
inline constexpr TokenId kRest = kNoteBase + 129 * kPitches;  ///< a note id that sounds nothing and only passes time
inline constexpr TokenId kControlBase = kRest + 1;            ///< the same three blocks again, for anticipated events
inline constexpr TokenId kSeparator = 2 * kControlBase - 1;
inline constexpr TokenId kAutoregress = kSeparator + 1;
inline constexpr TokenId kAnticipate = kSeparator + 2;
inline constexpr int kVocabulary = kAnticipate + 1;

static_assert(kRest == 27'512 && kControlBase == 27'513 && kSeparator == 55'025 && kVocabulary == 55'028);

inline constexpr RowRange kOnsetRows{kOnsetBase, kDurationBase};
inline constexpr RowRange kDurationRows{kDurationBase, kNoteBase};
inline constexpr RowRange kNoteRows{kNoteBase, kRest};  ///< without REST

/// The note ids of one instrument (0..128).
constexpr RowRange instrument_rows(int instrument) {
  return {kNoteBase + instrument * kPitches, kNoteBase + (instrument + 1) * kPitches};
}

/// The triplet between two pieces: three separators.
inline constexpr Triplet kSeparatorTriplet{kSeparator, kSeparator, kSeparator};

constexpr bool is_separator(const Triplet& t) {
  return t.note == kSeparator;
}
constexpr bool is_control(const Triplet& t) {
  return t.note >= kControlBase && t.note < kSeparator;
}
constexpr bool is_rest(const Triplet& t) {
  return t.note == kRest;
}
/// An event that sounds: neither REST nor a control nor a separator.
constexpr bool is_note(const Triplet& t) {
  return t.note >= kNoteBase && t.note < kRest;
}

}  // namespace midinf
