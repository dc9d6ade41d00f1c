#include "tokens/operations.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/result.h"
#include "tokens/triplets.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

template <class Keep>
std::vector<Triplet> keep_if(std::span<const Triplet> triplets, Keep keep) {
  std::vector<Triplet> kept;
  std::ranges::copy_if(triplets, std::back_inserter(kept), keep);
  return kept;
}

bool plays(const Triplet& t, std::optional<int> instrument) {
  return !instrument || ((is_note(t) || is_control(t)) && instrument_of(t) == *instrument);
}

}  // namespace

std::vector<Triplet> pad(std::span<const Triplet> events, std::optional<Ticks10ms> end, Ticks10ms interval) {
  MIDINF_ASSERT(interval.count() > 0);
  std::vector<Triplet> padded;
  padded.reserve(events.size());
  Ticks10ms previous;
  const auto fill_up_to = [&](Ticks10ms time) {
    while (time > previous + interval) {
      previous += interval;
      padded.push_back({static_cast<TokenId>(kOnsetBase + previous.count()), kDurationBase, kRest});
    }
  };
  for (const Triplet& event : events) {
    MIDINF_ASSERT(!is_control(event) && !is_separator(event));
    fill_up_to(onset_of(event));
    padded.push_back(event);
    previous = onset_of(event);
  }
  MIDINF_ASSERT(!end || end->count() <= kMaxSongSteps);
  fill_up_to(end ? *end : max_time(events));
  return padded;
}

std::vector<Triplet> unpad(std::span<const Triplet> triplets) {
  return keep_if(triplets, [](const Triplet& t) { return !is_rest(t); });
}

std::vector<Triplet> clip(std::span<const Triplet> triplets, Ticks10ms start, Ticks10ms end, ClipDuration durations) {
  std::vector<Triplet> clipped;
  for (Triplet t : triplets) {
    MIDINF_ASSERT(!is_separator(t));
    const Ticks10ms onset = onset_of(t);
    if (onset < start || onset > end) continue;
    const Ticks10ms overhang = onset + duration_of(t) - end;
    if (durations == ClipDuration::kShorten && overhang.count() > 0)
      t.duration -= static_cast<TokenId>(overhang.count());
    clipped.push_back(t);
  }
  return clipped;
}

std::vector<Triplet> clip(std::span<const Triplet> triplets, Seconds start, Seconds end, ClipDuration durations) {
  return clip(triplets, to_ticks(start), to_ticks(end), durations);
}

std::vector<Triplet> mask(std::span<const Triplet> triplets, Ticks10ms start, Ticks10ms end) {
  return keep_if(triplets, [&](const Triplet& t) {
    MIDINF_ASSERT(!is_separator(t));
    return !(onset_of(t) > start && onset_of(t) < end);
  });
}

std::vector<Triplet> sort(std::span<const Triplet> triplets) {
  std::vector<std::pair<Ticks10ms, std::size_t>> order;  // ties by place; std::stable_sort makes clang warn
  order.reserve(triplets.size());
  for (const Triplet& t : triplets) {
    MIDINF_ASSERT(!is_separator(t));
    order.emplace_back(onset_of(t), order.size());
  }
  std::ranges::sort(order);
  std::vector<Triplet> sorted;
  sorted.reserve(triplets.size());
  for (const auto& [onset, index] : order) sorted.push_back(triplets[index]);
  return sorted;
}

std::vector<Triplet> translate(std::span<const Triplet> triplets, Ticks10ms shift) {
  std::vector<Triplet> moved(triplets.begin(), triplets.end());
  for (Triplet& t : moved) {
    if (is_separator(t)) break;
    const Ticks10ms onset = onset_of(t) + shift;
    MIDINF_ASSERT(onset.count() >= 0 && onset.count() <= kMaxSongSteps);
    t.onset += static_cast<TokenId>(shift.count());
  }
  return moved;
}

Ticks10ms min_time(std::span<const Triplet> triplets, std::optional<int> instrument) {
  std::optional<Ticks10ms> earliest;
  for (const Triplet& t : triplets) {
    if (is_separator(t)) break;
    if (plays(t, instrument) && (!earliest || onset_of(t) < *earliest)) earliest = onset_of(t);
  }
  return earliest.value_or(Ticks10ms(0));
}

Ticks10ms max_time(std::span<const Triplet> triplets, std::optional<int> instrument) {
  Ticks10ms latest;
  for (const Triplet& t : triplets)
    if (!is_separator(t) && plays(t, instrument)) latest = std::max(latest, onset_of(t));
  return latest;
}

}  // namespace midinf
