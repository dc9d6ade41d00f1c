// The endless generator: one event after the other, from a prompt or from nothing.
// It never calls a network: it says which ids the network must read and which rows of logits it wants, and takes them.
// One network pass can therefore serve several generators. Read next: anticipation/window.h, sampling/draw.h, then
// model/decoder.h, which answers the requests.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "anticipation/settings.h"
#include "anticipation/window.h"
#include "base/note.h"
#include "base/row_ranges.h"

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

/// What a generator needs next from the network.
struct LogitRequest {
  std::span<const TokenId> context;  ///< all ids that the network reads, at most 1,024 minus one
  const RowRanges& rows;             ///< the rows of the output head wanted for the id after them
};

/// Draws events for ever. Owns its history; holds no network, no thread, no clock. [worker]
class Generator {
 public:
  /// Precondition: check_settings(settings); the prompt's onsets do not decrease.
  Generator(Settings settings, Prompt prompt);

  /// Valid until the next call of accept.
  LogitRequest request();

  /// Draws one id from the logits asked for (packed as request().rows; they are edited in place). True when that was
  /// the last id of an event, which then stands at the end of history().
  bool accept(std::span<float> logits);

  /// The latest events, the prompt's among them, onsets in stream time. At most 1,000,000: then the oldest are dropped.
  [[nodiscard]] std::span<const Triplet> history() const { return history_; }
  /// How many events have been generated.
  [[nodiscard]] std::uint64_t generated() const { return generated_; }
  /// The earliest onset that the next event may have.
  [[nodiscard]] Ticks10ms now() const { return now_; }
  /// How often the window slid: each cost a prefill.
  [[nodiscard]] std::uint64_t slides() const { return slides_; }

 private:
  void begin_event();
  void end_event();
  [[nodiscard]] StepContext context() const;

  Settings settings_;
  std::vector<std::shared_ptr<const LogitProcessor>> processors_;
  std::vector<Triplet> history_;
  Ticks10ms now_;
  Window window_;
  std::uint64_t generated_ = 0;
  std::uint64_t slides_ = 0;

  // The event being drawn.
  Slot slot_ = Slot::kOnset;
  Triplet drawn_;
  std::vector<TokenId> ids_;  // what the network reads
  RowRanges rows_;
  bool requested_ = false;
};

/// Answers a request: logits packed as request.rows, valid until the next call.
using LogitSource = std::function<std::span<float>(const LogitRequest& request)>;

/// Draws one whole event and returns it, onset in stream time.
Triplet next_event(Generator& generator, const LogitSource& logits);

}  // namespace midinf
