// Negative log-likelihood of rows of ids under a model, one softmax per slot.
// Runs the same passes as the generator (model/forward.h), only with many rows of the head at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/note.h"
#include "base/result.h"
#include "base/token.h"
#include "model/forward.h"

namespace midinf::cli {

/// Sums over the events scored so far; a mean is sum / events, in nats.
struct Score {
  std::array<double, 3> nats{};  ///< onset, duration, note
  std::uint64_t events = 0;

  Score& operator+=(const Score& other);
  [[nodiscard]] double mean(Slot slot) const;
  [[nodiscard]] double per_event() const;
};

using Row = std::vector<TokenId>;  ///< a flag and up to 341 triplets

/// Cuts a file of uint16 rows of 1,024 ids. Errors: kCorrupt naming the row and id: a length that is no multiple of a
/// row, an id that is not in the vocabulary or not in its slot.
Result<std::vector<Row>> rows_of_ids(std::span<const std::byte> bytes);

/// The rows that a piece makes: padded with RESTs, opened by three SEPARATORs, cut after 341 triplets or before an
/// onset would pass 9,999, each re-based to its earliest time and headed by AUTOREGRESS.
std::vector<Row> rows_of_notes(std::span<const Note> notes);

/// Precondition: a row as made by the functions above, at least one triplet.
Score score_row(Decoder& decoder, const Row& row);

}  // namespace midinf::cli
