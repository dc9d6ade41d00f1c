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
    : settings_(std::move(settings)),
      processors_(make_processors(settings_)),
      history_(std::move(prompt.events)),
      now_(prompt.start) {}

StepContext Generator::context() const {
  const std::span<const Triplet> all = history_;
  return {.history = settings_.reference ? all : all.last(std::min(all.size(), kProcessorHistory)),
          .window_events = all.size() - window_.start,
          .window_origin = window_.origin,
          .now = now_,
          .slot = slot_,
          .drawn = drawn_};
}

void Generator::begin_event() {
  const Window next =
      next_window(settings_.reference ? WindowPolicy::kReference : WindowPolicy::kChunked, history_, window_, now_);
  if (next.start != window_.start) ++slides_;
  window_ = next;
  ids_.clear();
  append_context(history_, window_, ids_);
}

LogitRequest Generator::request() {
  if (!requested_) {
    if (slot_ == Slot::kOnset) begin_event();
    rows_ = settings_.reference ? reference_slot_rows(slot_) : slot_rows(slot_);
    for (const auto& processor : processors_) processor->narrow(context(), rows_);
    MIDINF_ASSERT(!rows_.empty());
    requested_ = true;
  }
  return {ids_, rows_};
}

bool Generator::accept(std::span<float> logits) {
  MIDINF_ASSERT(requested_ && logits.size() == static_cast<std::size_t>(rows_.size()));
  for (const auto& processor : processors_) processor->edit(context(), rows_, logits);
  const double luck = uniform(settings_.seed, generated_, static_cast<std::uint32_t>(slot_));
  const TokenId id = rows_.id_at(draw(logits, luck));
  ids_.push_back(id);
  requested_ = false;
  switch (slot_) {
    case Slot::kOnset:
      drawn_.onset = id;
      slot_ = Slot::kDuration;
      return false;
    case Slot::kDuration:
      drawn_.duration = id;
      slot_ = Slot::kNote;
      return false;
    case Slot::kNote:
      drawn_.note = id;
      slot_ = Slot::kOnset;
      end_event();
      return true;
  }
  return false;
}

void Generator::end_event() {
  const Ticks10ms onset = Ticks10ms(drawn_.onset) + window_.origin;
  history_.push_back({static_cast<TokenId>(onset.count()), drawn_.duration, drawn_.note});
  now_ = std::max(now_, onset);
  ++generated_;
  drawn_ = {};
  if (history_.size() <= kMostHistory) return;
  // Drop an eighth at once, so that the cost of moving the rest is spread over many events.
  const std::size_t dropped = std::min(kMostHistory / 8, window_.start);
  history_.erase(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(dropped));
  window_.start -= dropped;
}

Triplet next_event(Generator& generator, const LogitSource& logits) {
  while (!generator.accept(logits(generator.request()))) {
  }
  return generator.history().back();
}

}  // namespace midinf
