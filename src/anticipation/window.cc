#include "anticipation/window.h"

#include <algorithm>

#include "tokens/triplets.h"

namespace midinf {
namespace {

constexpr std::size_t kWindowEvents = 341;           // 1 flag + 3 × 341 ids fill the 1,024 positions
constexpr std::size_t kKeptEvents = 170;             // as the first MIDInfinite kept
constexpr std::size_t kReferenceEvents = 1017 / 3;   // anticipation/sample.py@af37397 add_token
// Music moves by at most a second an event (longer gaps are written as RESTs), so ten seconds of room before the range
// ends never cut off an onset that the network would have wanted.
constexpr Ticks10ms kLatestNow{kMaxOnset - 1'000};
constexpr Ticks10ms kKeptSpan{kMaxOnset / 2};

// A piece's own zero is kept while its opening separator is in sight, as in training; later windows start at their
// earliest event.
Ticks10ms earliest(std::span<const Triplet> events) {
  if (events.empty() || is_separator(events.front())) return Ticks10ms(0);
  Ticks10ms first = onset_of(events.front());
  for (const Triplet& event : events) first = std::min(first, onset_of(event));
  return first;
}

}  // namespace

Window next_window(WindowPolicy policy, std::span<const Triplet> history, Window previous, Ticks10ms now) {
  if (policy == WindowPolicy::kReference) {
    const std::size_t start = history.size() - std::min(history.size(), kReferenceEvents);
    return {start, earliest(history.subspan(start))};
  }
  if (previous.start < history.size()) previous.origin = earliest(history.subspan(previous.start));
  const bool full = history.size() - previous.start >= kWindowEvents;
  const bool late = now - previous.origin > kLatestNow;
  if (!full && !late) return previous;
  // The new window must be able to hold the new event: of what is kept, only the events not too long before `now`.
  std::size_t start = history.size() - std::min(history.size(), kKeptEvents);
  while (start < history.size() && (is_separator(history[start]) || now - onset_of(history[start]) > kKeptSpan)) ++start;
  if (start == history.size()) return {start, now};  // nothing that near: begin afresh at `now`
  return {start, earliest(history.subspan(start))};
}

void append_context(std::span<const Triplet> history, Window window, std::vector<TokenId>& ids) {
  ids.push_back(kAutoregress);
  for (const Triplet& event : history.subspan(window.start)) {
    const bool timed = !is_separator(event);
    ids.push_back(timed ? event.onset - static_cast<TokenId>(window.origin.count()) : event.onset);
    ids.push_back(event.duration);
    ids.push_back(event.note);
  }
}

}  // namespace midinf
