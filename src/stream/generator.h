// The endless generator: one event after the other, from a prompt or from nothing.
// It never calls a network: it says which ids the network must read and which rows of logits it wants, and takes them.
// One network pass can therefore serve several generators. Read next: anticipation/window.h, sampling/draw.h, then
// model/forward.h, which answers the requests, and stream.h, which keeps a generator ahead of a listener.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "anticipation/settings.h"
#include "anticipation/window.h"
#include "base/note.h"
#include "base/row_ranges.h"
#include "stream/guess.h"
#include "stream/trouble.h"

namespace midinf {

/// Music that stands before the first generated event.
struct Prompt {
  std::vector<Triplet> events;  ///< as the network reads it, in order of onset
  Ticks10ms start;              ///< no new event begins before
};

/// A piece as it begins: a separator and nothing else.
Prompt begin_piece();

/// The middle of a piece that nobody heard the beginning of: no event at all. The first one begins at once.
Prompt begin_middle();

/// Continues `notes` (any order) from the last onset: they stand behind a separator, gaps over a second filled with
/// RESTs. Without notes the same as begin_piece.
Prompt continue_piece(std::span<const Note> notes);

/// The place of an event in its stream: the prompt's first is 0. It stays when old events are dropped.
using EventIndex = std::uint64_t;

/// What a generator needs next from the network.
struct LogitRequest {
  std::span<const TokenId> context;  ///< all ids that the network reads, at most 1,024 minus one
  const RowRanges& rows;             ///< the rows of the output head wanted for the id after them
  std::span<const Guess> guesses;    ///< what the ids from then on may be (guess.h); only time depends on them
};

/// What became of an answer.
enum class Step : std::uint8_t {
  kId,         ///< an id of an event that is not complete yet
  kEvent,      ///< that was its last: it stands at the end of history()
  kRecovery,   ///< the music had died: history() is shorter now and goes on differently
  kCancelled,  ///< there was no answer (next_event only)
};

inline constexpr int kMostAttempts = 3;  ///< at reviving one passage; then it is left alone

/// How often the music died and was revived.
struct RecoveryCounts {
  std::uint32_t recoveries = 0;  ///< rewinds to before a dead passage, failed ones included
  std::uint32_t given_up = 0;    ///< passages that three of them did not revive
  Trouble last = Trouble::kNone;

  bool operator==(const RecoveryCounts&) const = default;
};

/// Draws events for ever. Owns its history; holds no network, no thread, no clock. A value: copies go on by themselves.
/// What it draws is a function of the settings, the history and where its windows began (which it records), so that a
/// rewind with nothing changed reproduces what it discarded. [worker]
class Generator {
  struct Mark;

 public:
  /// Precondition: check_settings(settings); the prompt's onsets do not decrease.
  Generator(Settings settings, Prompt prompt);

  /// Valid until the next call of a function that is not const.
  LogitRequest request();

  /// Draws one id from the logits asked for (packed as request().rows; they are edited in place).
  Step accept(std::span<float> logits);

  /// The ids that the network will read after the window's next slide, as far as they are known: reading them early
  /// spares a listener the wait. Empty while nothing of that window exists. Cost: a copy of up to 512 ids.
  [[nodiscard]] std::vector<TokenId> upcoming_context() const;

  /// The latest events, the prompt's among them, onsets in stream time. At most 1,000,000: then the oldest are dropped.
  [[nodiscard]] std::span<const Triplet> history() const { return history_; }
  [[nodiscard]] EventIndex first_index() const { return first_; }                  ///< of history()'s first event
  [[nodiscard]] EventIndex end_index() const { return first_ + history_.size(); }  ///< of the event drawn next
  [[nodiscard]] EventIndex prompt_end() const { return prompt_end_; }              ///< of the first generated event
  /// The index of the first event that begins at `onset` or later, end_index() if there is none. Cost: log n.
  [[nodiscard]] EventIndex index_at(Ticks10ms onset) const;
  [[nodiscard]] std::uint64_t generated() const { return end_index() - prompt_end_; }
  /// The earliest onset that the next event may have.
  [[nodiscard]] Ticks10ms now() const;
  /// The first event drawn in the window that the next one is drawn in, or in that `before` slides earlier: the first
  /// that is known, where there were not so many.
  [[nodiscard]] EventIndex window_began(int before = 0) const;
  /// How often the window slid: each cost a prefill.
  [[nodiscard]] std::uint64_t slides() const;
  /// Of the music as it stands: a recovery that a rewind drops is not counted any more.
  [[nodiscard]] RecoveryCounts recovery_counts() const;

  [[nodiscard]] const Settings& settings() const { return settings_; }
  /// Acts from the next event on; what was drawn of an event is drawn again. Precondition: check_settings(settings).
  void set_settings(Settings settings);
  /// Events that begin before `onset` have been heard, those below `kept` are needed by somebody: a recovery leaves
  /// both.
  void set_heard(Ticks10ms onset, EventIndex kept = 0) { heard_ = onset, kept_ = kept; }

  /// Part of a stream, cut off to be put back.
  struct Tail {
    EventIndex at = 0;
    std::vector<Triplet> events;
    std::vector<Mark> marks;
  };
  /// Drops the event `at` and all behind it, the prompt's too, and returns them. With `not_before` the next event
  /// begins no earlier and is a note that comes within half a second and no later than the one that it replaces would
  /// have, and what had been given up is watched again. Nothing when the window in which it was drawn is no longer in
  /// history, or it has not been drawn.
  std::optional<Tail> cut(EventIndex at, std::optional<Ticks10ms> not_before = std::nullopt);
  /// The same when nobody wants them back.
  bool rewind(EventIndex at) { return cut(at).has_value(); }
  /// Cuts at tail.at and appends the tail: what it was cut from stands again. False, and nothing changes, when history
  /// has passed it or it does not belong there.
  bool paste(Tail tail);

  /// A generator that goes on from the event `at` by itself, with `seed`; it knows no more of the past than the network
  /// and the processors see. Nothing when `at` is not in history, or the window in which it was drawn is not.
  [[nodiscard]] std::optional<Generator> fork(EventIndex at, Ticks10ms not_before, std::uint64_t seed) const;

  /// The whole generator as bytes, and back; the embedder's processors are left out. What was drawn of an event is
  /// drawn again. Errors: kCorrupt, kUnsupported (a newer version). [any thread, not during a call]
  [[nodiscard]] std::vector<std::byte> save() const;
  static Result<Generator> restore(std::span<const std::byte> bytes);

 private:
  /// What held from an event on and cannot be told from the history.
  static constexpr Ticks10ms kNoLimit{std::numeric_limits<std::int64_t>::max()};
  struct Mark {
    EventIndex at = 0;
    EventIndex window_start = 0;
    Ticks10ms floor;              // no event begins before
    Ticks10ms latest = kNoLimit;  // the event `at` is a note and begins no later; kNoLimit: as the model likes
    std::uint64_t slides = 0;
    // The event is drawn with changed sampling while its index is below `until`.
    std::uint8_t attempt = 0;
    EventIndex until = 0;
    EventIndex watched_from = 0;  // what came before cannot be taken back, or was given up
    RecoveryCounts counts;

    bool operator==(const Mark&) const = default;
  };

  Generator() = default;
  void begin_event();
  Step end_event();
  Step recover(FoundTrouble found);
  [[nodiscard]] StepContext context() const;
  [[nodiscard]] const Mark& state() const { return marks_.back(); }
  Mark& mark_here();
  [[nodiscard]] std::vector<Mark>::const_iterator mark_of(EventIndex at) const;  // the one that holds for that event
  [[nodiscard]] bool holds(EventIndex at) const;
  [[nodiscard]] std::size_t window_start() const { return static_cast<std::size_t>(state().window_start - first_); }
  [[nodiscard]] int attempt() const;
  [[nodiscard]] bool left_alone() const;
  std::span<const std::shared_ptr<const LogitProcessor>> processors();
  void begin_soon();
  void abandon_event();
  void forget_the_oldest();

  Settings settings_;
  std::vector<Triplet> history_;
  EventIndex first_ = 0;
  EventIndex prompt_end_ = 0;
  std::vector<Mark> marks_;  // at least one, by `at`; the last holds for the event drawn next
  Ticks10ms heard_;
  EventIndex kept_ = 0;

  // Made from the above when needed.
  std::vector<std::shared_ptr<const LogitProcessor>> processors_;
  int processors_attempt_ = -1;  // for which attempt they were made, -1: not made

  // The event being drawn.
  Slot slot_ = Slot::kOnset;
  Triplet drawn_;
  Window window_;
  std::vector<TokenId> ids_;  // what the network reads
  RowRanges rows_;
  Guesser guesser_;
  bool requested_ = false;
};

/// Answers a request: logits packed as request.rows, valid until the next call; empty when it was cancelled.
using LogitSource = std::function<std::span<float>(const LogitRequest& request)>;

/// Draws until an event is complete, the music was revived or the source gave up.
Step next_event(Generator& generator, const LogitSource& logits);

}  // namespace midinf
