#include "stream/guess.h"

#include <algorithm>

#include "tokens/vocabulary.h"

namespace midinf {
namespace {

constexpr std::ptrdiff_t kFar = 400;    // events among which a likeness is looked for
constexpr std::ptrdiff_t kLength = 16;  // ids of which a likeness consists at most
constexpr float kLeastChance = 0.1F;    // nobody reads along what is less likely

// How often an onset, a duration and a note were as after the last likeness, by its length: sixteen pieces of 45 s by
// the embedded model.
constexpr float kChances[3][kLength + 1] = {
    {.56F, .56F, .53F, .69F, .65F, .66F, .78F, .80F, .76F, .80F, .76F, .78F, .86F, .86F, .80F, .86F, .90F},
    {.27F, .34F, .12F, .47F, .63F, .55F, .72F, .81F, .77F, .79F, .85F, .86F, .88F, .88F, .88F, .94F, .94F},
    {.02F, .12F, .02F, .27F, .49F, .37F, .57F, .68F, .55F, .71F, .76F, .62F, .73F, .72F, .72F, .87F, .87F},
};
constexpr float kMemory = 32;  // guesses in a slot of which the record tells
constexpr float kSurest = 0.97F;

// The ids of events, numbered through, but instead of each onset how long after the onset before it comes.
class Steps {
 public:
  static constexpr TokenId kNone = -1;  // it comes after nothing

  Steps(std::span<const Triplet> events, const Triplet& drawn, Ticks10ms origin)
      : events_(events), drawn_{drawn.onset + static_cast<TokenId>(origin.count()), drawn.duration, drawn.note} {}

  [[nodiscard]] TokenId operator[](std::ptrdiff_t i) const {
    const Triplet& event = at(i / 3);
    if (i % 3 == 1) return event.duration;
    if (i % 3 == 2) return event.note;
    if (i == 0 || is_separator(at(i / 3 - 1)) || is_separator(event)) return kNone;
    return event.onset - at(i / 3 - 1).onset;
  }

 private:
  [[nodiscard]] const Triplet& at(std::ptrdiff_t event) const {
    return event < std::ssize(events_) ? events_[static_cast<std::size_t>(event)] : drawn_;
  }

  std::span<const Triplet> events_;
  Triplet drawn_;
};

}  // namespace

void Guesser::guess(std::span<const Triplet> history, Ticks10ms origin, Slot slot, const Triplet& drawn) {
  guesses_.clear();
  history = history.last(std::min(history.size(), static_cast<std::size_t>(kFar)));
  const Steps steps(history, drawn, origin);
  const std::ptrdiff_t here = 3 * std::ssize(history) + static_cast<std::ptrdiff_t>(slot);
  std::ptrdiff_t like = here, length = -1;
  for (std::ptrdiff_t place = here - 3; place > 0 && length < kLength; place -= 3) {
    std::ptrdiff_t common = 0;
    while (common < std::min(kLength, place) && steps[place - 1 - common] == steps[here - 1 - common] &&
           steps[place - 1 - common] != Steps::kNone)
      ++common;
    if (common > length) like = place, length = common;
  }
  TokenId onset = slot == Slot::kOnset && !history.empty() ? history.back().onset - static_cast<TokenId>(origin.count())
                                                           : drawn.onset;
  float chance = 1;
  for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(kMostGuesses) && like + i < here; ++i) {
    TokenId id = steps[like + i];
    const auto kind = static_cast<std::size_t>((here + i) % 3);
    const float expected = kChances[kind][std::min(length + i, kLength)];
    if (i == 0) expected_ = expected;
    chance *= std::min(kSurest, expected * records_[kind].right / records_[kind].expected);
    if (id == Steps::kNone || id >= kControlBase || (i > 0 && chance < kLeastChance)) break;
    if (kind == 0) id = onset += id;
    if (kind == 0 && (id < kOnsetBase || id >= kOnsetBase + kMaxOnset)) break;
    guesses_.push_back({id, chance});
  }
}

void Guesser::learn(Slot slot, TokenId id) {
  if (guesses_.empty()) return;
  Record& record = records_[static_cast<std::size_t>(slot)];
  record.expected += (expected_ - record.expected) / kMemory;
  record.right += ((id == guesses_.front().id ? 1.0F : 0.0F) - record.right) / kMemory;
}

}  // namespace midinf
