// The fast path against the plain one on random networks, and what the rest of the project builds on: the same bits for
// any number of threads and any cut of the ids.
#include "model/forward.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "model/forward_reference.h"
#include "model/random_checkpoint.h"

namespace midinf {
namespace {

constexpr Gpt2Config kShape{.layers = 3, .heads = 5, .width = 160, .context = 1024, .vocabulary = 3000};

std::vector<TokenId> random_ids(std::mt19937& random, int count) {
  std::vector<TokenId> ids(static_cast<std::size_t>(count));
  for (TokenId& id : ids) id = static_cast<TokenId>(random() % kShape.vocabulary);
  return ids;
}

double largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max<double>(largest, std::abs(a[i] - b[i]));
  return largest;
}

class Forward : public testing::Test {
 protected:
  std::unique_ptr<Decoder> decoder(int threads, const KernelSet* kernels = available_kernels().front()) {
    return std::make_unique<Decoder>(*Network::load(checkpoint_, *kernels), std::make_shared<ComputePool>(threads));
  }
  unsigned seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
  RandomCheckpoint checkpoint_{kShape, seed_};
  const RowRanges rows_{{0, 10}, {500, 1501}, {2999, 3000}};
};

TEST_F(Forward, AgreesWithTheReferenceOnEveryKernelSet) {
  for (const KernelSet* kernels : available_kernels()) {
    const auto fast = decoder(2, kernels);
    auto plain = *ReferenceNetwork::load(checkpoint_);
    const auto ids = random_ids(random_, 300);
    for (const int length : {1, 2, 31, 300}) {
      const auto context = std::span(ids).first(static_cast<std::size_t>(length));
      plain.read_all(context);
      // Float32 sums in another order through three layers; logits are of size 1.
      EXPECT_LT(largest_difference(fast->logits(context, rows_), plain.logits(rows_)), 1e-4)
          << kernels->name << " " << seed_;
    }
  }
}

TEST_F(Forward, PrefillAndDecodeAgreeBitForBit) {
  const auto at_once = decoder(2), one_by_one = decoder(2);
  const auto ids = random_ids(random_, 700);
  std::vector<float> last;
  for (std::size_t n = 1; n <= ids.size(); ++n) {
    const auto logits = one_by_one->logits(std::span(ids).first(n), rows_);
    last.assign(logits.begin(), logits.end());
  }
  const auto logits = at_once->logits(ids, rows_);
  EXPECT_EQ(std::memcmp(logits.data(), last.data(), last.size() * sizeof(float)), 0);
}

TEST_F(Forward, ThreadsChangeNoBit) {
  const auto ids = random_ids(random_, 333);
  const auto alone = decoder(1);
  const auto expected = alone->logits(ids, rows_);
  for (const int threads : {2, 3, 4}) {
    const auto many = decoder(threads);
    const auto logits = many->logits(ids, rows_);
    EXPECT_EQ(std::memcmp(logits.data(), expected.data(), expected.size_bytes()), 0) << threads;
  }
}

TEST_F(Forward, ReadingAgainAfterAnotherContextChangesNothing) {
  const auto one = decoder(2);
  const auto ids = random_ids(random_, 200);
  auto other = ids;
  other[120] = (other[120] + 1) % kShape.vocabulary;
  const auto first = one->logits(ids, rows_);
  const std::vector<float> expected(first.begin(), first.end());
  const auto changed = one->logits(other, rows_);
  EXPECT_GT(largest_difference(changed, expected), 1e-3) << "an earlier id must matter";
  const auto again = one->logits(ids, rows_);
  EXPECT_EQ(std::memcmp(again.data(), expected.data(), expected.size() * sizeof(float)), 0);
  EXPECT_TRUE(std::equal(ids.begin(), ids.end(), one->ids().begin(), one->ids().end()));
}

TEST_F(Forward, HiddenStatesOfAWholeRowGiveTheSameLogits) {
  const auto one = decoder(2), whole = decoder(2);
  const auto ids = random_ids(random_, 90);
  const auto hidden = whole->read_from_start(ids);
  std::vector<float> all(ids.size() * static_cast<std::size_t>(rows_.size()));
  whole->head(hidden, static_cast<int>(ids.size()), rows_, all);
  for (const std::size_t n : {1U, 45U, 90U}) {
    const auto logits = one->logits(std::span(ids).first(n), rows_);
    EXPECT_EQ(std::memcmp(logits.data(), &all[(n - 1) * logits.size()], logits.size_bytes()), 0) << n;
  }
}

TEST_F(Forward, TheWholeContextCanBeRead) {
  const auto one = decoder(2);
  const auto ids = random_ids(random_, kShape.context);
  EXPECT_EQ(one->logits(ids, rows_).size(), static_cast<std::size_t>(rows_.size()));
}

}  // namespace
}  // namespace midinf
