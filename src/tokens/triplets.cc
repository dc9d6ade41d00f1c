#include "tokens/triplets.h"

#include <fmt/format.h>

#include <algorithm>

namespace midinf {

std::vector<Triplet> to_triplets(std::span<const Note> notes) {
  std::vector<Triplet> triplets;
  triplets.reserve(notes.size());
  for (const Note& note : notes) {
    MIDINF_ASSERT(note.onset.count() >= 0 && note.onset.count() <= kMaxSongSteps);
    MIDINF_ASSERT(note.duration.count() >= 0 && note.instrument < kInstruments && note.pitch < kPitches);
    const std::int64_t duration = std::min<std::int64_t>(note.duration.count(), kMaxDuration - 1);
    triplets.push_back({static_cast<TokenId>(kOnsetBase + note.onset.count()),
                        static_cast<TokenId>(kDurationBase + duration),
                        kNoteBase + kPitches * note.instrument + note.pitch});
  }
  return triplets;
}

std::vector<Note> to_notes(std::span<const Triplet> triplets) {
  std::vector<Note> notes;
  notes.reserve(triplets.size());
  Ticks10ms piece_start;
  Ticks10ms latest_end;
  for (const Triplet& t : triplets) {
    MIDINF_ASSERT(is_well_formed(t));
    if (is_separator(t)) piece_start = latest_end;
    if (!is_note(t) && !is_control(t)) continue;
    const Note note{piece_start + onset_of(t), duration_of(t), static_cast<std::uint8_t>(instrument_of(t)),
                    static_cast<std::uint8_t>(pitch_of(t))};
    latest_end = std::max(latest_end, note.onset + note.duration);
    notes.push_back(note);
  }
  return notes;
}

std::vector<TokenId> flatten(std::span<const Triplet> triplets) {
  std::vector<TokenId> ids;
  ids.reserve(3 * triplets.size());
  for (const Triplet& t : triplets) ids.insert(ids.end(), {t.onset, t.duration, t.note});
  return ids;
}

Result<void> TripletCheck::next(const Triplet& t) {
  if (!is_well_formed(t))
    return fail(
        ErrorCode::kCorrupt,
        fmt::format("{} {} {} is not an event: an onset, a duration (10000..10999) and a note (11000..27512) are "
                    "wanted, or these plus 27513, or three separators (55025)",
                    t.onset, t.duration, t.note));
  if (is_separator(t)) {
    piece_start_ = latest_end_;
    return {};
  }
  const std::int64_t onset = piece_start_ + onset_of(t).count();
  if (onset > kMaxSongSteps)
    return fail(ErrorCode::kCorrupt, fmt::format("the piece goes on for more than {} days; cut it into shorter lists",
                                                 kMaxSongSteps / kTicksPerSecond / 86'400));
  if (!is_rest(t)) latest_end_ = std::max(latest_end_, onset + duration_of(t).count());
  return {};
}

Result<std::vector<Triplet>> triplets_from_ids(std::span<const TokenId> ids) {
  if (ids.size() % 3 != 0)
    return fail(
        ErrorCode::kCorrupt,
        fmt::format("{} ids are not a whole number of triplets (onset, duration, note); is the last line cut off?",
                    ids.size()));
  std::vector<Triplet> triplets;
  triplets.reserve(ids.size() / 3);
  TripletCheck check;
  for (std::size_t i = 0; i < ids.size(); i += 3) {
    const Triplet t{ids[i], ids[i + 1], ids[i + 2]};
    if (const auto good = check.next(t); !good)
      return tl::make_unexpected(with_context(good.error(), fmt::format("triplet {}", i / 3 + 1)));
    triplets.push_back(t);
  }
  return triplets;
}

}  // namespace midinf
