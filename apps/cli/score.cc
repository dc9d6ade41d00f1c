#include "score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "stream/generator.h"
#include "tokens/triplets.h"
#include "tokens/vocabulary.h"

namespace midinf::cli {
namespace {

constexpr std::size_t kRowTriplets = (kContext - 1) / 3;
constexpr int kAtOnce = 64;  // hidden states whose logits are held at one time

// What may stand in a slot of a training row: its event ids, the same as controls, and SEPARATOR. REST counts as a
// note.
const RowRanges& scored_rows(Slot slot) {
  static const RowRanges rows[3] = {
      {kOnsetRows, {kOnsetRows.begin + kControlBase, kOnsetRows.end + kControlBase}, {kSeparator, kSeparator + 1}},
      {kDurationRows,
       {kDurationRows.begin + kControlBase, kDurationRows.end + kControlBase},
       {kSeparator, kSeparator + 1}},
      {kNoteRows,
       {kRest, kRest + 1},
       {kNoteRows.begin + kControlBase, kNoteRows.end + kControlBase},
       {kSeparator, kSeparator + 1}}};
  return rows[static_cast<std::size_t>(slot)];
}

double log_sum_exp(std::span<const float> logits) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float logit : logits) total += std::exp(logit - highest);
  return highest + std::log(total);
}

}  // namespace

Score& Score::operator+=(const Score& other) {
  for (std::size_t i = 0; i < nats.size(); ++i) nats[i] += other.nats[i];
  events += other.events;
  return *this;
}

double Score::mean(Slot slot) const {
  return nats[static_cast<std::size_t>(slot)] / static_cast<double>(std::max<std::uint64_t>(events, 1));
}

double Score::per_event() const {
  return mean(Slot::kOnset) + mean(Slot::kDuration) + mean(Slot::kNote);
}

Result<std::vector<Row>> rows_of_ids(std::span<const std::byte> bytes) {
  constexpr std::size_t kRowBytes = 2 * kContext;
  if (bytes.empty() || bytes.size() % kRowBytes != 0)
    return fail(ErrorCode::kCorrupt, fmt::format("{} bytes are no whole number of rows of {} uint16 ids ({} bytes)",
                                                 bytes.size(), kContext, kRowBytes));
  std::vector<Row> rows(bytes.size() / kRowBytes, Row(kContext));
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < kContext; ++i) {
      const std::byte* at = &bytes[r * kRowBytes + 2 * i];
      const TokenId id = std::to_integer<int>(at[0]) | std::to_integer<int>(at[1]) << 8;
      const bool fits =
          i == 0 ? id == kAutoregress || id == kAnticipate : scored_rows(static_cast<Slot>((i - 1) % 3)).contains(id);
      if (!fits)
        return fail(ErrorCode::kCorrupt, fmt::format("id {} cannot stand here; a row is a flag and 341 triplets", id),
                    fmt::format("row {}, id {}", r + 1, i + 1));
      rows[r][i] = id;
    }
  }
  return rows;
}

std::vector<Row> rows_of_notes(std::span<const Note> notes) {
  const std::vector<Triplet> events = continue_piece(notes).events;
  std::vector<Row> rows;
  for (std::size_t start = 0; start < events.size();) {
    Window window{start, Ticks10ms(0)};
    const std::size_t first_timed = start + (is_separator(events[start]) ? 1 : 0);
    if (first_timed < events.size()) window.origin = onset_of(events[first_timed]);
    std::size_t end = start;
    while (end < events.size() && end - start < kRowTriplets &&
           (is_separator(events[end]) || (onset_of(events[end]) - window.origin).count() < kMaxOnset))
      ++end;
    rows.emplace_back();
    append_context(std::span(events).first(end), window, rows.back());
    start = end;
  }
  return rows;
}

Score score_row(Decoder& decoder, const Row& row) {
  const auto width = static_cast<std::size_t>(decoder.config().width);
  const auto hidden = decoder.read_from_start(std::span(row).first(row.size() - 1));
  Score score;
  score.events = (row.size() - 1) / 3;
  std::vector<float> states, logits;
  for (const Slot slot : {Slot::kOnset, Slot::kDuration, Slot::kNote}) {
    const RowRanges& allowed = scored_rows(slot);
    const auto possible = static_cast<std::size_t>(allowed.size());
    for (std::size_t event = 0; event < score.events; event += kAtOnce) {
      const std::size_t count = std::min<std::size_t>(kAtOnce, score.events - event);
      states.resize(count * width);
      logits.resize(count * possible);
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t position =
            3 * (event + i) + static_cast<std::size_t>(slot);  // the id before the one predicted
        std::copy_n(&hidden[position * width], width, &states[i * width]);
      }
      decoder.head(states, static_cast<int>(count), allowed, logits);
      for (std::size_t i = 0; i < count; ++i) {
        const auto own = std::span(logits).subspan(i * possible, possible);
        const TokenId actual = row[3 * (event + i) + static_cast<std::size_t>(slot) + 1];
        score.nats[static_cast<std::size_t>(slot)] +=
            log_sum_exp(own) - own[static_cast<std::size_t>(allowed.index_of(actual))];
      }
    }
  }
  return score;
}

}  // namespace midinf::cli
