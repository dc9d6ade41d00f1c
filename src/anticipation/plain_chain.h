// For tests: what the settings mean, once more: by definition, over the whole vocabulary, in doubles, with full sorts,
// and with nothing of what the processors are made of.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <vector>

#include "anticipation/settings.h"
#include "tokens/triplets.h"

namespace midinf {

inline constexpr double kNever = -std::numeric_limits<double>::infinity();

/// Logits or probabilities by id.
using PlainLogits = std::vector<double>;

inline bool is_note_id(TokenId id) {
  return id >= kNoteBase && id < kRest;
}

// Which ids may be drawn at all.
inline bool plain_possible(const Settings& settings, const StepContext& context, TokenId id) {
  if (context.slot == Slot::kDuration) return id >= 10'000 && id < 11'000;
  const std::int64_t earliest = (context.now - context.window_origin).count();
  if (context.slot == Slot::kOnset) return id < 10'000 && (context.history.empty() ? id == earliest : id >= earliest);
  if (id == kRest) return true;
  if (!is_note_id(id)) return false;
  const int instrument = (id - 11'000) / 128, key = (id - 11'000) % 128;
  const auto& ensemble = settings.ensemble;
  if (!ensemble.empty() && std::find(ensemble.begin(), ensemble.end(), instrument) == ensemble.end()) return false;
  for (const PitchRange& range : settings.pitch_ranges)
    if (range.instrument == instrument && (key < range.lowest || key > range.highest)) return false;
  return instrument == 128 || (settings.scale >> key % 12 & 1) != 0;
}

inline void plain_polyphony(const Settings& settings, const StepContext& context, PlainLogits& logits) {
  if (settings.polyphony == 0 || context.slot != Slot::kOnset) return;
  for (std::int64_t onset = 0; onset < kMaxOnset - 1; ++onset) {
    const std::int64_t time = onset + context.window_origin.count();
    int sounding = 0;
    for (const Triplet& e : context.history)
      if (is_note(e) && e.onset <= time && time < e.onset + std::max(e.duration - 10'000, 1)) ++sounding;
    if (sounding < settings.polyphony && time >= context.now.count()) return;
    logits[static_cast<std::size_t>(onset)] = kNever;
  }
}

inline void plain_pace(const Settings& settings, const StepContext& context, PlainLogits& logits) {
  if (settings.pace == 0 || context.slot != Slot::kOnset) return;
  for (std::int64_t onset = 0; onset < kMaxOnset - 1; ++onset) {
    const std::int64_t time = onset + context.window_origin.count();
    const auto begun = std::count_if(context.history.begin(), context.history.end(),
                                     [&](const Triplet& e) { return is_note(e) && e.onset > time - 100; });
    if (begun < settings.pace) return;
    logits[static_cast<std::size_t>(onset)] = kNever;
  }
}

inline void plain_cap(const Settings& settings, const StepContext& context, PlainLogits& logits) {
  if (settings.instrument_cap == 0 || context.slot != Slot::kNote) return;
  std::set<int> possible;
  for (TokenId id = kNoteBase; id < kRest; ++id)
    if (logits[static_cast<std::size_t>(id)] != kNever) possible.insert((id - 11'000) / 128);
  std::vector<int> last_first;
  for (std::size_t i = 0; i < context.window_events; ++i) {
    const Triplet& e = context.history[context.history.size() - 1 - i];
    if (is_note(e) && possible.count(instrument_of(e)) > 0 &&
        std::find(last_first.begin(), last_first.end(), instrument_of(e)) == last_first.end())
      last_first.push_back(instrument_of(e));
  }
  const auto cap = static_cast<std::size_t>(settings.instrument_cap);
  if (last_first.size() < cap) return;
  const std::set<int> stay(last_first.begin(), last_first.begin() + static_cast<std::ptrdiff_t>(cap));
  for (TokenId id = kNoteBase; id < kRest; ++id)
    if (stay.count((id - 11'000) / 128) == 0) logits[static_cast<std::size_t>(id)] = kNever;
}

inline double plain_silence(const Settings& settings, const StepContext& context, int instrument) {
  std::vector<Triplet> events;
  for (const Triplet& e : context.history)
    if (!is_separator(e)) events.push_back(e);
  std::ptrdiff_t last = -1;
  for (std::size_t i = 0; i < events.size(); ++i)
    if (is_note(events[i]) && instrument_of(events[i]) == instrument) last = static_cast<std::ptrdiff_t>(i);
  const auto& ensemble = settings.ensemble;
  const bool called = std::find(ensemble.begin(), ensemble.end(), instrument) != ensemble.end();
  if (events.empty() || (last < 0 && !called)) return 0;
  if (settings.density_unit == DensityUnit::kEvents)
    return std::min(1'024.0, static_cast<double>(events.size()) - static_cast<double>(last) - 1.0);
  const double drawn = static_cast<double>(context.drawn.onset + context.window_origin.count());
  return std::clamp((drawn - events[static_cast<std::size_t>(std::max<std::ptrdiff_t>(last, 0))].onset) / 100, 0.0,
                    1'024.0);
}

inline void plain_edits(const Settings& settings, const StepContext& context, PlainLogits& logits) {
  if (context.slot != Slot::kNote) return;
  std::vector<double> silence(129);
  for (int i = 0; i < 129; ++i) silence[static_cast<std::size_t>(i)] = plain_silence(settings, context, i);
  for (TokenId id = kNoteBase; id < kRest; ++id) {
    const auto window = context.history.last(context.window_events);
    const auto count = std::count_if(window.begin(), window.end(), [&](const Triplet& e) { return e.note == id; });
    logits[static_cast<std::size_t>(id)] += settings.density * silence[static_cast<std::size_t>((id - 11'000) / 128)] -
                                            settings.frequency_penalty * static_cast<double>(count);
  }
}

inline PlainLogits plain_softmax(const PlainLogits& logits) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  PlainLogits probability(logits.size());
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) total += probability[i] = std::exp(logits[i] - highest);
  for (double& p : probability) p /= total;
  return probability;
}

// Of the ids in order of probability (the lower one of equals first), leaves those for which
// keep(how many stand before it, their probability).
template <class Keep>
void plain_filter(PlainLogits& logits, Keep keep) {
  const PlainLogits probability = plain_softmax(logits);
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  double before = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    if (!keep(rank, before)) logits[order[rank]] = kNever;
    before += probability[order[rank]];
  }
}

/// The probability of each id of the vocabulary when the network gave `logits` for it.
inline PlainLogits plain_chain(const Settings& settings, const StepContext& context, PlainLogits logits) {
  for (std::size_t id = 0; id < logits.size(); ++id)
    if (!plain_possible(settings, context, static_cast<TokenId>(id))) logits[id] = kNever;
  plain_polyphony(settings, context, logits);
  plain_pace(settings, context, logits);
  plain_cap(settings, context, logits);
  plain_edits(settings, context, logits);
  if (settings.temperature == 0) plain_filter(logits, [](std::size_t rank, double) { return rank == 0; });
  for (double& logit : logits)
    if (settings.temperature > 0) logit /= settings.temperature;
  const auto k = static_cast<std::size_t>(settings.top_k);
  if (k > 0) plain_filter(logits, [&](std::size_t rank, double) { return rank < k; });
  plain_filter(logits, [&](std::size_t rank, double before) { return rank == 0 || before <= settings.top_p; });
  const double most = *std::max_element(logits.begin(), logits.end());
  for (double& logit : logits)
    if (settings.min_p > 0 && std::exp(logit - most) < settings.min_p) logit = kNever;
  return plain_softmax(logits);
}

/// The same through the processors: what draw would be given, as probabilities by id.
struct Narrowed {
  RowRanges rows;
  std::vector<float> logits;  // packed, edited
};
inline Narrowed through_processors(const Settings& settings, const StepContext& context,
                                   std::span<const float> logits) {
  const auto chain = make_processors(settings);
  Narrowed result{{{0, kVocabulary}}, {}};
  for (const auto& processor : chain) processor->narrow(context, result.rows);
  for (const RowRange& range : result.rows.ranges())
    result.logits.insert(result.logits.end(), logits.begin() + range.begin, logits.begin() + range.end);
  for (const auto& processor : chain) processor->edit(context, result.rows, result.logits);
  return result;
}

/// How much probability two ways to the same distribution put in different places, 0..1.
inline double difference(const Narrowed& actual, const PlainLogits& expected) {
  PlainLogits probability = expected;
  for (double& p : probability) p = -p;
  const PlainLogits drawn = plain_softmax({actual.logits.begin(), actual.logits.end()});
  auto at = drawn.begin();
  for (const RowRange& range : actual.rows.ranges())
    for (TokenId id = range.begin; id < range.end; ++id) probability[static_cast<std::size_t>(id)] += *at++;
  double sum = 0;
  for (const double p : probability) sum += std::abs(p) / 2;
  return sum;
}

}  // namespace midinf
