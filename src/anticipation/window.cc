#include "anticipation/window.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "tokens/triplets.h"

namespace midinf {
namespace {

constexpr std::size_t kWindowEvents = 341;          // 1 flag + 3 × 341 ids fill the 1,024 positions
constexpr std::size_t kKeptEvents = 170;            // as the first MIDInfinite kept
constexpr std::size_t kReferenceEvents = 1017 / 3;  // anticipation/sample.py@af37397 add_token
// Music moves by at most a second an event (longer gaps are written as RESTs), so ten seconds of room before the range
// ends never cut off an onset that the network would have wanted.
constexpr Ticks10ms kLatestNow{kMaxOnset - 1'000};
constexpr Ticks10ms kKeptSpan{kMaxOnset / 2};

// The onset that the network gets to know as 0: the earliest, as in training, where a piece begins with its first note.
Ticks10ms earliest(std::span<const Triplet> events, Ticks10ms otherwise) {
  std::optional<Ticks10ms> first;
  for (const Triplet& event : events)
    if (!is_separator(event)) first = std::min(first.value_or(onset_of(event)), onset_of(event));
  return first.value_or(otherwise);
}

}  // namespace

Window next_window(WindowPolicy policy, std::span<const Triplet> history, Window previous, Ticks10ms now) {
  if (policy == WindowPolicy::kReference) {
    const std::size_t start = history.size() - std::min(history.size(), kReferenceEvents);
    return {start, earliest(history.subspan(start), now)};
  }
  previous.origin = earliest(history.subspan(previous.start), now);
  const bool full = history.size() - previous.start >= kWindowEvents;
  const bool late = now - previous.origin > kLatestNow;
  if (!full && !late) return previous;
  // The new window must be able to hold the new event: of what is kept, only the events not too long before `now`.
  std::size_t start = history.size() - std::min(history.size(), kKeptEvents);
  while (start < history.size() && (is_separator(history[start]) || now - onset_of(history[start]) > kKeptSpan))
    ++start;
  return {start, earliest(history.subspan(start), now)};  // with nothing that near, afresh at `now`
}

std::optional<Window> upcoming_window(std::span<const Triplet> history, Window current, Ticks10ms now) {
  const std::size_t start = current.start + kWindowEvents - kKeptEvents;
  if (start >= history.size()) return std::nullopt;
  return Window{start, earliest(history.subspan(start), now)};
}

void append_context(std::span<const Triplet> history, Window window, std::vector<TokenId>& ids) {
  ids.push_back(kAutoregress);
  for (const Triplet& event : history.subspan(window.start)) {
    // Only the reference's windows reach beyond the range; what it does then is undefined.
    const std::int64_t onset = (onset_of(event) - window.origin).count();
    ids.push_back(is_separator(event) ? event.onset
                                      : static_cast<TokenId>(std::min<std::int64_t>(onset, kMaxOnset - 1)));
    ids.push_back(event.duration);
    ids.push_back(event.note);
  }
}

}  // namespace midinf
