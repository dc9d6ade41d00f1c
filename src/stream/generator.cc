#include "stream/generator.h"

#include <algorithm>

#include "anticipation/reference_rules.h"
#include "anticipation/slot_grammar.h"
#include "base/result.h"
#include "sampling/draw.h"
#include "sampling/random.h"
#include "tokens/operations.h"
#include "tokens/triplets.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

constexpr std::size_t kMostHistory = 1'000'000;
constexpr std::size_t kProcessorHistory = 1'024;
constexpr std::size_t kWatched = 2'048;  // events in which dead music is looked for
constexpr unsigned kRevivedEvents = 32;  // drawn with changed sampling at the first attempt, more at each further one
constexpr unsigned kFurtherBack = 48;    // events before the dead passage, at each further attempt
constexpr unsigned kSamePassage = 128;   // trouble that began so few events behind them is the same
constexpr unsigned kLeftAlone = 341;     // events after which given-up music is watched again, or sooner:
constexpr Ticks10ms kLeftAloneFor{1'600};
// After a change the next note begins within this time, and no later than the old one would have.
constexpr Ticks10ms kSoon{50};

}  // namespace

Prompt begin_piece() {
  return {{kSeparatorTriplet}, Ticks10ms(0)};
}

Prompt begin_middle() {
  return {};
}

Prompt continue_piece(std::span<const Note> notes) {
  Prompt prompt = begin_piece();
  if (notes.empty()) return prompt;
  const std::vector<Triplet> sorted = sort(to_triplets(notes));
  prompt.start = onset_of(sorted.back());
  // In training a piece begins with its first note: silence before it is no part of it.
  const Ticks10ms silence = onset_of(sorted.front());
  const auto padded = translate(pad(translate(sorted, Ticks10ms(0) - silence)), silence);
  prompt.events.insert(prompt.events.end(), padded.begin(), padded.end());
  return prompt;
}

Generator::Generator(Settings settings, Prompt prompt)
    : settings_(std::move(settings)), history_(std::move(prompt.events)), prompt_end_(history_.size()), marks_{{}} {
  Mark& here = mark_here();
  here.floor = prompt.start;
  here.watched_from = prompt_end_;
}

Generator::Mark& Generator::mark_here() {
  if (marks_.back().at != end_index()) {
    Mark mark = marks_.back();
    mark.at = end_index();
    mark.latest = kNoLimit;
    marks_.push_back(mark);
  }
  return marks_.back();
}

Ticks10ms Generator::now() const {
  if (history_.empty() || is_separator(history_.back())) return state().floor;
  return std::max(state().floor, onset_of(history_.back()));
}

EventIndex Generator::window_began(int before) const {
  auto mark = std::prev(marks_.end());
  for (; mark != marks_.begin(); --mark)
    if (std::prev(mark)->window_start != mark->window_start && before-- == 0) break;
  return mark->at;
}

std::uint64_t Generator::slides() const {
  return state().slides;
}

RecoveryCounts Generator::recovery_counts() const {
  return state().counts;
}

EventIndex Generator::index_at(Ticks10ms onset) const {
  const auto before = [](const Triplet& event, Ticks10ms t) { return is_separator(event) || onset_of(event) < t; };
  return first_ +
         static_cast<EventIndex>(std::lower_bound(history_.begin(), history_.end(), onset, before) - history_.begin());
}

int Generator::attempt() const {
  return end_index() < state().until && state().attempt <= kMostAttempts ? state().attempt : 0;
}

bool Generator::left_alone() const {
  if (state().attempt <= kMostAttempts || end_index() >= state().until) return false;
  // Nobody waits through minutes of silence because it is made of few events.
  const EventIndex given_up_at = std::max(state().watched_from, first_ + 1);
  return now() - onset_of(history_[static_cast<std::size_t>(given_up_at - 1 - first_)]) < kLeftAloneFor;
}

std::span<const std::shared_ptr<const LogitProcessor>> Generator::processors() {
  if (const int wanted = attempt(); processors_attempt_ != wanted) {
    processors_ = make_processors(wanted == 0 ? settings_ : revived(settings_, state().counts.last, wanted));
    processors_attempt_ = wanted;
  }
  return processors_;
}

StepContext Generator::context() const {
  const std::span<const Triplet> all = history_;
  return {.history = settings_.reference ? all : all.last(std::min(all.size(), kProcessorHistory)),
          .window_events = all.size() - window_.start,
          .window_origin = window_.origin,
          .now = now(),
          .slot = slot_,
          .drawn = drawn_};
}

void Generator::begin_event() {
  const Window before{window_start(), {}};
  window_ =
      next_window(settings_.reference ? WindowPolicy::kReference : WindowPolicy::kChunked, history_, before, now());
  if (window_.start != before.start) {
    Mark& mark = mark_here();
    mark.window_start = first_ + window_.start;
    ++mark.slides;
  }
  ids_.clear();
  append_context(history_, window_, ids_);
}

LogitRequest Generator::request() {
  if (!requested_) {
    if (slot_ == Slot::kOnset) begin_event();
    rows_ = settings_.reference ? reference_slot_rows(slot_) : slot_rows(slot_);
    for (const auto& processor : processors()) processor->narrow(context(), rows_);
    if (state().at == end_index() && state().latest != kNoLimit) begin_soon();
    MIDINF_ASSERT(!rows_.empty());
    guesser_.guess(history_, window_.origin, slot_, drawn_);
    if (const auto guesses = guesser_.guesses(); !guesses.empty() && !rows_.contains(guesses.front().id))
      guesser_.forget();
    requested_ = true;
  }
  return {ids_, rows_, guesser_.guesses()};
}

Step Generator::accept(std::span<float> logits) {
  MIDINF_ASSERT(requested_ && logits.size() == static_cast<std::size_t>(rows_.size()));
  for (const auto& processor : processors()) processor->edit(context(), rows_, logits);
  const auto substream = static_cast<std::uint32_t>(slot_) + 4 * static_cast<std::uint32_t>(attempt());
  const TokenId id = rows_.id_at(draw(logits, uniform(settings_.seed, end_index() - prompt_end_, substream)));
  guesser_.learn(slot_, id);
  if (slot_ != Slot::kNote) ids_.push_back(id);  // the note completes the event: request() begins anew
  requested_ = false;
  switch (slot_) {
    case Slot::kOnset:
      drawn_.onset = id;
      slot_ = Slot::kDuration;
      break;
    case Slot::kDuration:
      drawn_.duration = id;
      slot_ = Slot::kNote;
      break;
    case Slot::kNote:
      drawn_.note = id;
      return end_event();
  }
  return Step::kId;
}

// As far as the processors leave anything.
void Generator::begin_soon() {
  RowRanges narrowed = rows_;
  if (slot_ == Slot::kOnset) {
    const std::int64_t latest = std::clamp<std::int64_t>((state().latest - window_.origin).count(), 0, kMaxOnset - 1);
    narrowed.remove({static_cast<TokenId>(latest) + 1, kMaxOnset});
  } else if (slot_ == Slot::kNote) {
    narrowed.remove({kRest, kRest + 1});
  }
  if (!narrowed.empty()) rows_ = std::move(narrowed);
}

void Generator::abandon_event() {
  slot_ = Slot::kOnset;
  drawn_ = {};
  requested_ = false;
}

Step Generator::end_event() {
  const Ticks10ms onset = Ticks10ms(drawn_.onset) + window_.origin;
  history_.push_back({static_cast<TokenId>(onset.count()), drawn_.duration, drawn_.note});
  abandon_event();
  if (settings_.recover && !settings_.reference && !left_alone()) {
    const std::span<const Triplet> recent = std::span(history_).last(std::min(history_.size(), kWatched));
    const EventIndex watched = end_index() - state().watched_from;
    FoundTrouble found = find_trouble(recent, window_.origin, static_cast<std::size_t>(watched));
    found.begin += history_.size() - recent.size();
    if (found.kind != Trouble::kNone) return recover(found);
  }
  forget_the_oldest();
  return Step::kEvent;
}

// Goes back to before the dead passage, but not into what has been heard, is needed or was given up, and marks what
// follows to be drawn with changed sampling. What it cannot take back is not watched any more, or it would be found
// again. The third failure at one place is the last: then the music is left alone for a window's length.
Step Generator::recover(FoundTrouble found) {
  const Ticks10ms reached = now();
  // The same passage if it began within what was revived, or (silence apart) soon after: a crowd takes long to be seen.
  const EventIndex began = first_ + found.begin;
  const EventIndex same = state().until + (found.kind == Trouble::kSilence ? 0 : kSamePassage);
  const bool again = state().attempt > 0 && state().attempt <= kMostAttempts && began < same;
  // Left alone for long enough, given-up music gets one more chance.
  const bool once_more = state().attempt > kMostAttempts && began < state().until;
  EventIndex earliest = std::max({index_at(heard_), kept_, state().watched_from});
  // Another passage never leads back into one that was left behind, or two of them could take turns for ever.
  if (!again && !once_more) earliest = std::max(earliest, std::min(state().until, began));
  const int attempt = again ? state().attempt + 1 : once_more ? kMostAttempts : 1;
  RecoveryCounts counts = state().counts;
  counts.last = found.kind;
  if (attempt > kMostAttempts) {
    ++counts.given_up;
    earliest = end_index();
  } else {
    ++counts.recoveries;
    // Further back each time: what led there may lead there again.
    const EventIndex back = static_cast<EventIndex>(attempt - 1) * kFurtherBack;
    rewind(std::min(end_index(), std::max(began - std::min(began, back), earliest)));
  }
  Mark& mark = mark_here();
  mark.floor = std::max(mark.floor, std::min(heard_, reached));
  mark.watched_from = std::min(earliest, end_index());
  mark.attempt = static_cast<std::uint8_t>(attempt);
  mark.until = end_index() + (attempt > kMostAttempts ? kLeftAlone : kRevivedEvents * static_cast<unsigned>(attempt));
  mark.counts = counts;
  processors_attempt_ = -1;
  return attempt > kMostAttempts ? Step::kEvent : Step::kRecovery;
}

void Generator::forget_the_oldest() {
  if (history_.size() <= kMostHistory) return;
  // An eighth at once, so that the cost of moving the rest is spread over many events.
  const std::size_t dropped = std::min(kMostHistory / 8, window_start());
  history_.erase(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(dropped));
  first_ += dropped;
  marks_.erase(marks_.begin(), mark_of(first_));
}

std::vector<Generator::Mark>::const_iterator Generator::mark_of(EventIndex at) const {
  const auto next = std::upper_bound(marks_.begin(), marks_.end(), at,
                                     [](EventIndex index, const Mark& mark) { return index < mark.at; });
  return std::prev(next);
}

bool Generator::holds(EventIndex at) const {
  return at >= first_ && at <= end_index() && mark_of(at)->window_start >= first_;
}

void Generator::set_settings(Settings settings) {
  settings_ = std::move(settings);
  processors_attempt_ = -1;
  abandon_event();
}

std::optional<Generator::Tail> Generator::cut(EventIndex at, std::optional<Ticks10ms> not_before) {
  if (!holds(at)) return std::nullopt;
  Tail tail{at, {}, {}};
  marks_.reserve(marks_.size() + 1);  // with the copies all memory that this takes, before anything has gone
  const auto event = history_.begin() + static_cast<std::ptrdiff_t>(at - first_);
  tail.events.assign(event, history_.end());
  // A mark at `at` was made before that event was drawn: it holds on. It goes into the tail too, since it may change.
  const auto mark = mark_of(at);
  tail.marks.assign(mark->at == at ? mark : mark + 1, marks_.cend());
  history_.erase(event, history_.end());
  marks_.erase(mark + 1, marks_.cend());
  abandon_event();
  processors_attempt_ = -1;
  if (not_before) {
    // Somebody has changed something, and wants to hear it; and what could not be revived before may live now.
    Mark& here = mark_here();
    here.floor = std::max(here.floor, *not_before);
    const auto next = std::find_if(tail.events.begin(), tail.events.end(),
                                   [&](const Triplet& t) { return is_note(t) && onset_of(t) >= here.floor; });
    // Changes in quick succession must not put it off: nobody turns a knob to hear silence.
    if (next != tail.events.end()) here.latest = onset_of(*next);
    here.latest = std::clamp(here.latest, here.floor, here.floor + kSoon);
    here.attempt = 0;
    here.until = 0;
  }
  return tail;
}

bool Generator::paste(Tail tail) {
  if (!holds(tail.at)) return false;
  const auto before = history_.begin() + static_cast<std::ptrdiff_t>(tail.at - first_);
  const auto last =
      std::find_if(std::reverse_iterator(before), history_.rend(), [](const Triplet& t) { return !is_separator(t); });
  const auto next =
      std::find_if(tail.events.begin(), tail.events.end(), [](const Triplet& t) { return !is_separator(t); });
  if (last != history_.rend() && next != tail.events.end() && onset_of(*next) < onset_of(*last)) return false;
  if (std::any_of(tail.marks.begin(), tail.marks.end(), [&](const Mark& m) { return m.window_start < first_; }))
    return false;
  rewind(tail.at);
  const bool replaced = !tail.marks.empty() && tail.marks.front().at == tail.at;
  if (state().at == tail.at && (replaced || marks_.size() > 1)) marks_.pop_back();
  history_.insert(history_.end(), tail.events.begin(), tail.events.end());
  marks_.insert(marks_.end(), tail.marks.begin(), tail.marks.end());
  return true;
}

std::optional<Generator> Generator::fork(EventIndex at, Ticks10ms not_before, std::uint64_t seed) const {
  if (!holds(at)) return std::nullopt;
  Generator other;
  other.settings_ = settings_;
  other.settings_.seed = seed;
  other.prompt_end_ = prompt_end_;
  const Mark& mark = *mark_of(at);
  const EventIndex seen = std::min(mark.window_start, at - std::min<EventIndex>(at, kProcessorHistory));
  other.first_ = std::max(first_, seen);
  other.history_.assign(history_.begin() + static_cast<std::ptrdiff_t>(other.first_ - first_),
                        history_.begin() + static_cast<std::ptrdiff_t>(at - first_));
  other.marks_ = {{.at = other.first_, .window_start = other.first_}};
  Mark& here = other.mark_here();
  here = mark;
  if (mark.at != at) here.latest = kNoLimit;
  here.at = at;
  here.floor = std::max(mark.floor, not_before);
  return other;
}

std::vector<TokenId> Generator::upcoming_context() const {
  std::vector<TokenId> ids;
  if (settings_.reference) return ids;
  if (const auto window = upcoming_window(history_, {window_start(), {}}, now()))
    append_context(history_, *window, ids);
  return ids;
}

Step next_event(Generator& generator, const LogitSource& logits) {
  while (true) {
    const std::span<float> answer = logits(generator.request());
    if (answer.empty()) return Step::kCancelled;
    if (const Step step = generator.accept(answer); step != Step::kId) return step;
  }
}

}  // namespace midinf
