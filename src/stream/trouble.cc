#include "stream/trouble.h"

#include <algorithm>
#include <cstdlib>

#include "tokens/triplets.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

// Takes away what would let the music die again, this way or, since sampling is hotter now, another: notes only, none
// after a long wait, no crowd; as long as anything is left.
class Revival : public LogitProcessor {
 public:
  void narrow(const StepContext& context, RowRanges& allowed) const override {
    RowRanges narrowed = allowed;
    if (context.slot == Slot::kNote) {
      narrowed.remove({kRest, kRest + 1});
    } else if (context.slot == Slot::kOnset) {
      const auto onset = [&](Ticks10ms t) {
        return static_cast<TokenId>(std::clamp<std::int64_t>((t - context.window_origin).count(), 0, kMaxOnset));
      };
      narrowed.remove({0, onset(room_for_another(context))});
      narrowed.remove({onset(context.now + kLongestWait), kMaxOnset});
    }
    if (!narrowed.empty()) allowed = std::move(narrowed);
  }

 private:
  static constexpr Ticks10ms kLongestWait{200};
  static constexpr std::size_t kAtOnce = 12, kInASecond = 60;

  // When at most kAtOnce - 1 events stand at the instant and kInASecond - 1 in the second before.
  static Ticks10ms room_for_another(const StepContext& context) {
    const auto history = context.history;
    const auto after = [&](std::size_t events, Ticks10ms apart) {
      if (history.size() < events || is_separator(history[history.size() - events])) return context.now;
      return onset_of(history[history.size() - events]) + apart;
    };
    return std::max(after(kAtOnce, Ticks10ms(1)), after(kInASecond, Ticks10ms(kTicksPerSecond)));
  }
};

FoundTrouble find_silence(std::span<const Triplet> history, std::size_t first, Ticks10ms window_origin) {
  const Ticks10ms now = onset_of(history.back());
  std::size_t begin = history.size() - 1;  // of the silence: RESTs, or a single long step
  while (begin > first && is_rest(history[begin - 1])) --begin;
  const auto sounds_until = [&](std::size_t i) { return onset_of(history[i]) + duration_of(history[i]); };
  const bool music_before = begin > 0 && is_note(history[begin - 1]);
  Ticks10ms heard_until = music_before ? sounds_until(begin - 1) : std::min(window_origin, onset_of(history[begin]));
  if (first > 0 && !is_separator(history[first - 1])) heard_until = std::max(heard_until, onset_of(history[first - 1]));
  // No note is longer than 10 s: one that began longer ago than that and the silence does not matter.
  const Ticks10ms horizon = now - kLongestSilence - Ticks10ms(kMaxDuration);
  for (std::size_t i = begin; i-- > 0 && !is_separator(history[i]) && onset_of(history[i]) >= horizon;)
    if (is_note(history[i])) heard_until = std::max(heard_until, sounds_until(i));
  return now - heard_until > kLongestSilence ? FoundTrouble{Trouble::kSilence, begin} : FoundTrouble{};
}

FoundTrouble find_crowd(std::span<const Triplet> history) {
  const auto within = [&](std::size_t most, std::int64_t steps) {
    if (history.size() < most || is_separator(history[history.size() - most])) return false;
    return history.back().onset - history[history.size() - most].onset < steps;
  };
  if (within(kMostAtOnce, 1)) {
    std::size_t begin = history.size() - kMostAtOnce;
    while (begin > 0 && history[begin - 1].onset == history.back().onset) --begin;
    return {Trouble::kCrowd, begin};
  }
  if (within(kMostInTwoSeconds, 2 * kTicksPerSecond)) return {Trouble::kCrowd, history.size() - kMostInTwoSeconds};
  return {};
}

FoundTrouble find_stuck_onset(std::span<const Triplet> history, Ticks10ms window_origin) {
  const std::size_t most = kMostStuck;
  if (history.size() < most) return {};
  const std::size_t begin = history.size() - most;
  return onset_of(history[begin]) - window_origin >= Ticks10ms(kMaxOnset - 10) && !is_separator(history[begin])
             ? FoundTrouble{Trouble::kStuckOnset, begin}
             : FoundTrouble{};
}

// A pattern is the notes of a stretch of time; steps may be off by one where 10 ms did not divide the beat.
FoundTrouble find_loop(std::span<const Triplet> history) {
  if (history.empty() || !is_note(history.back())) return {};
  const auto same = [&](std::size_t a, std::size_t b, std::int64_t apart) {
    return history[a].note == history[b].note && std::abs(history[a].onset - history[b].onset - apart) <= 1;
  };
  const std::size_t last = history.size() - 1;
  for (std::size_t events = 1; events * kMostRepeats <= history.size(); ++events) {
    const std::int64_t apart = history[last].onset - history[last - events].onset;
    if (apart > kLongestPattern.count()) break;
    if (apart < 1 || history[last].note != history[last - events].note) continue;
    const std::size_t compared = events * (kMostRepeats - 1);
    std::size_t i = 0;
    while (i < compared && same(last - i, last - i - events, apart)) ++i;
    if (i == compared) return {Trouble::kLoop, last + 1 - compared};
  }
  return {};
}

}  // namespace

std::string_view trouble_name(Trouble trouble) {
  switch (trouble) {
    case Trouble::kNone:
      return "none";
    case Trouble::kSilence:
      return "silence";
    case Trouble::kLoop:
      return "loop";
    case Trouble::kStuckOnset:
      return "stuck onset";
    case Trouble::kCrowd:
      return "crowd";
  }
  return "none";
}

FoundTrouble find_trouble(std::span<const Triplet> history, Ticks10ms window_origin, std::size_t watched) {
  if (history.empty() || is_separator(history.back())) return {};
  const std::size_t first = history.size() - std::clamp<std::size_t>(watched, 1, history.size());
  if (const auto found = find_silence(history, first, window_origin); found.kind != Trouble::kNone) return found;
  const auto own = history.subspan(first);
  FoundTrouble found = find_crowd(own);
  if (found.kind == Trouble::kNone) found = find_stuck_onset(own, window_origin);
  if (found.kind == Trouble::kNone) found = find_loop(own);
  found.begin += first;
  return found;
}

Settings revived(const Settings& settings, Trouble trouble, int attempt) {
  Settings changed = settings;
  changed.temperature = std::min(10.0, std::max(settings.temperature, 0.7 + 0.1 * attempt) + 0.1 * attempt);
  changed.top_p = std::max(settings.top_p, 0.97 + 0.01 * attempt);
  if (settings.top_k > 0) changed.top_k = std::max(settings.top_k, 20 * attempt);
  changed.min_p = settings.min_p / (1 + attempt);
  if (trouble == Trouble::kLoop)
    changed.frequency_penalty = std::min(2.0, std::max(0.0, settings.frequency_penalty) + 0.25 * attempt);
  changed.processors.push_back(std::make_shared<Revival>());
  return changed;
}

}  // namespace midinf
