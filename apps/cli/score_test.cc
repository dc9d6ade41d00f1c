#include "score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/forward_reference.h"
#include "model/random_checkpoint.h"
#include "tokens/triplets.h"
#include "tokens/vocabulary.h"

namespace midinf::cli {
namespace {

using testing::HasSubstr;

std::vector<Note> song(int count, int step) {
  std::vector<Note> notes;
  for (int i = 0; i < count; ++i)
    notes.push_back({Ticks10ms(500 + i * step), Ticks10ms(20), 0, static_cast<std::uint8_t>(40 + i % 40)});
  return notes;
}

TEST(RowsOfNotes, OpenWithSeparatorsAndCutAfter341Triplets) {
  const auto rows = rows_of_notes(song(700, 10));
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].size(), 1024U);
  EXPECT_EQ(rows[1].size(), 1024U);
  EXPECT_EQ(rows[2].size(), 1 + 3 * (701 - 682U));
  EXPECT_EQ(std::vector(rows[0].begin(), rows[0].begin() + 5),
            (std::vector<TokenId>{kAutoregress, kSeparator, kSeparator, kSeparator, 0}));
  EXPECT_EQ(rows[1][1], 0) << "each row is re-based to its earliest time";
}

TEST(RowsOfNotes, CutEarlyWhereAnOnsetWouldPassTheRange) {
  const auto rows = rows_of_notes(song(300, 90));  // 270 s
  ASSERT_EQ(rows.size(), 3U);
  for (const Row& row : rows)
    for (std::size_t i = 1; i < row.size(); i += 3) EXPECT_TRUE(row[i] < kMaxOnset || row[i] == kSeparator);
}

TEST(RowsOfIds, RefuseWhatNoModelReads) {
  std::vector<std::byte> bytes(2048);
  const auto put = [&](std::size_t i, TokenId id) {
    bytes[2 * i] = std::byte(id & 255), bytes[2 * i + 1] = std::byte(id >> 8);
  };
  put(0, kAutoregress);
  for (std::size_t i = 0; i < 341; ++i) put(3 * i + 1, 7), put(3 * i + 2, kDurationBase), put(3 * i + 3, kRest);
  ASSERT_TRUE(rows_of_ids(bytes));
  put(5, kNoteBase);  // a note where a duration belongs
  EXPECT_THAT(rows_of_ids(bytes).error().to_string(), HasSubstr("row 1, id 6"));
  bytes.pop_back();
  EXPECT_THAT(rows_of_ids(bytes).error().to_string(), HasSubstr("2047 bytes"));
  EXPECT_FALSE(rows_of_ids({}));
}

// The definition, with the plain network, one softmax at a time.
TEST(ScoreRow, IsTheNegativeLogLikelihoodPerSlot) {
  const RandomCheckpoint checkpoint(
      {.layers = 1, .heads = 2, .width = 32, .context = kContext, .vocabulary = kVocabulary}, 3);
  Decoder decoder(*Network::load(checkpoint, **select_kernels()), std::make_shared<ComputePool>(2));
  auto plain = *ReferenceNetwork::load(checkpoint);
  const Row row = rows_of_notes(song(5, 150)).front();
  double nats[3] = {};
  for (std::size_t i = 0; i + 1 < row.size(); ++i) {
    plain.read(row[i]);
    const auto logits = plain.logits({{0, kVocabulary}});
    double total = 0;
    for (TokenId id = 0; id < kSeparator; ++id) {
      const TokenId event = id % kControlBase;  // 0..27,512, for controls too
      const std::size_t slot = event < kDurationBase ? 0 : event < kNoteBase ? 1 : 2;
      if (slot == i % 3) total += std::exp(static_cast<double>(logits[static_cast<std::size_t>(id)]));
    }
    total += std::exp(static_cast<double>(logits[kSeparator]));
    nats[i % 3] += std::log(total) - logits[static_cast<std::size_t>(row[i + 1])];
  }
  const Score score = score_row(decoder, row);
  EXPECT_EQ(score.events, (row.size() - 1) / 3);
  for (std::size_t slot = 0; slot < 3; ++slot)
    EXPECT_NEAR(score.nats[slot], nats[slot], 1e-4 * static_cast<double>(score.events)) << slot;
}

}  // namespace
}  // namespace midinf::cli
