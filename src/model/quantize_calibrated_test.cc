// Rounding that makes good for its errors: less of them where the inputs say, in one matrix and in a whole network.
#include "model/quantize_calibrated.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <random>

#include "base/dtype.h"
#include "model/calibrate.h"
#include "model/convert.h"
#include "model/forward.h"
#include "model/forward_reference.h"
#include "model/quantize.h"
#include "model/random_checkpoint.h"
#include "model/test_files.h"

namespace midinf {
namespace {

using testing::HasSubstr;
using Floats = std::vector<float>;

constexpr int kRows = 24, kColumns = 96, kInputs = 400;

Floats normal_numbers(std::mt19937& random, std::size_t count) {
  std::normal_distribution<float> normal;
  Floats values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// Inputs that depend on each other, as those of a network do: mixtures of fewer sources, and a little noise.
Floats dependent_inputs(std::mt19937& random) {
  constexpr int kSources = 20;
  const Floats mixture = normal_numbers(random, std::size_t{kSources} * kColumns);
  Floats inputs = normal_numbers(random, std::size_t{kInputs} * kColumns);
  for (int t = 0; t < kInputs; ++t) {
    const Floats sources = normal_numbers(random, kSources);
    for (int c = 0; c < kColumns; ++c) {
      float& x = inputs[static_cast<std::size_t>(t * kColumns + c)];
      x *= 0.2F;
      for (int s = 0; s < kSources; ++s)
        x += sources[static_cast<std::size_t>(s)] * mixture[static_cast<std::size_t>(s * kColumns + c)];
    }
  }
  return inputs;
}

Floats moments_of(const Floats& inputs, int columns) {
  const auto n = static_cast<std::size_t>(columns);
  Floats moments(n * n, 0.0F);
  for (std::size_t t = 0; t < inputs.size(); t += n)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) moments[i * n + j] += inputs[t + i] * inputs[t + j];
  return moments;
}

// Σ |(W - Q) · x|²
double error_on(const Floats& inputs, const Floats& weights, std::span<const std::byte> q4) {
  Floats rounded(weights.size());
  decode(DType::kQ4_0, q4, rounded);
  double error = 0;
  for (int t = 0; t < kInputs; ++t)
    for (int r = 0; r < kRows; ++r) {
      double off = 0;
      for (int c = 0; c < kColumns; ++c) {
        const auto at = static_cast<std::size_t>(r * kColumns + c);
        off += double{weights[at] - rounded[at]} * inputs[static_cast<std::size_t>(t * kColumns + c)];
      }
      error += off * off;
    }
  return error;
}

TEST(CalibratedQ4, ErrsLessWhereInputsDependOnEachOther) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const Floats weights = normal_numbers(random, std::size_t{kRows} * kColumns), inputs = dependent_inputs(random);
  const auto nearest = *encode(DType::kQ4_0, weights, kColumns);
  const auto calibrated = *encode_q4_calibrated(weights, kColumns, moments_of(inputs, kColumns), 1, {});
  EXPECT_EQ(calibrated.size(), nearest.size());
  EXPECT_LT(error_on(inputs, weights, calibrated), 0.4 * error_on(inputs, weights, nearest)) << "seed " << seed;
}

TEST(CalibratedQ4, IsNoWorseWhereInputsSayNothing) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const Floats weights = normal_numbers(random, std::size_t{kRows} * kColumns),
               inputs = normal_numbers(random, std::size_t{kInputs} * kColumns);
  for (const float scale : {0.0F, 1.0F, 1e6F}) {  // nothing seen at all, and much
    Floats moments(std::size_t{kColumns} * kColumns, 0.0F);
    for (std::size_t i = 0; i < kColumns; ++i) moments[i * kColumns + i] = scale;
    const auto calibrated = *encode_q4_calibrated(weights, kColumns, moments, 1, {});
    EXPECT_LT(error_on(inputs, weights, calibrated),
              error_on(inputs, weights, *encode(DType::kQ4_0, weights, kColumns)))
        << "seed " << seed;
  }
}

TEST(CalibratedQ4, DoesNotDependOnThreads) {
  std::mt19937 random(3);
  const Floats weights = normal_numbers(random, std::size_t{kRows} * kColumns);
  const Floats moments = moments_of(dependent_inputs(random), kColumns);
  EXPECT_EQ(*encode_q4_calibrated(weights, kColumns, moments, 1, {}),
            *encode_q4_calibrated(weights, kColumns, moments, 3, {}));
}

TEST(CalibratedQ4, RefusesWhatIsNoNumberAndStopsWhenAsked) {
  Floats weights(kColumns, 0.5F), moments(std::size_t{kColumns} * kColumns, 0.0F);
  const auto stopped = encode_q4_calibrated(weights, kColumns, moments, 1, [] { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  weights[40] = std::numeric_limits<float>::quiet_NaN();
  const auto refused = encode_q4_calibrated(weights, kColumns, moments, 1, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("row 0, column 40"));
  weights[40] = 0;
  moments[3] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(encode_q4_calibrated(weights, kColumns, moments, 1, {}));
}

constexpr Gpt2Config kShape{.layers = 2, .heads = 2, .width = 64, .context = 300, .vocabulary = 200};

std::vector<std::vector<TokenId>> random_rows(std::mt19937& random, int count) {
  std::vector<std::vector<TokenId>> rows(static_cast<std::size_t>(count), std::vector<TokenId>(280));
  for (auto& row : rows)
    for (TokenId& id : row) id = static_cast<TokenId>(random() % kShape.vocabulary);
  return rows;
}

TEST(MeasureInputs, SumsWhatTheMatricesSee) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const RandomCheckpoint checkpoint(kShape, seed);
  const auto rows = random_rows(random, 2);
  const auto moments = measure_inputs(checkpoint, rows, 2, {});
  ASSERT_TRUE(moments) << moments.error().to_string();
  EXPECT_EQ(moments->size(), 4U * kShape.layers + 1);

  // Of the first and the last matrix, from the weights and from the network's own answers.
  const auto read = [&](const char* name) { return *checkpoint.read(name); };
  const Floats embedding = read("token_embd.weight"), position = read("position_embd.weight"),
               weight = read("blk.0.attn_norm.weight"), bias = read("blk.0.attn_norm.bias");
  const auto width = static_cast<std::size_t>(kShape.width);
  Floats first, last;
  for (const auto& row : rows) {
    for (std::size_t t = 0; t < row.size(); ++t) {
      Floats x(width);
      double mean = 0, variance = 0;
      for (std::size_t i = 0; i < width; ++i) {
        x[i] = embedding[static_cast<std::size_t>(row[t]) * width + i] + position[t * width + i];
        mean += x[i] / static_cast<double>(width);
      }
      for (const float value : x) variance += (value - mean) * (value - mean) / static_cast<double>(width);
      for (std::size_t i = 0; i < width; ++i)
        first.push_back(static_cast<float>((x[i] - mean) / std::sqrt(variance + 1e-5)) * weight[i] + bias[i]);
    }
    Decoder decoder(*Network::load(checkpoint, *available_kernels().back()), std::make_shared<ComputePool>(1));
    const auto hidden = decoder.read_from_start(row);
    last.insert(last.end(), hidden.begin(), hidden.end());
  }
  const auto near = [&](const char* name, const Floats& inputs) {
    const Floats expected = moments_of(inputs, kShape.width);
    const Floats& got = moments->at(name);
    ASSERT_EQ(got.size(), expected.size()) << name;
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 0.02) << name << " " << i;
  };
  near("blk.0.attn_qkv.weight", first);
  near("token_embd.weight", last);
}

TEST(MeasureInputs, StopsWhenAskedAndNamesAForeignId) {
  const RandomCheckpoint checkpoint(kShape, 1);
  const std::vector<std::vector<TokenId>> foreign{{5, kShape.vocabulary}};
  const auto refused = measure_inputs(checkpoint, foreign, 1, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("id 200 is outside the vocabulary"));
  const std::vector<std::vector<TokenId>> long_row{std::vector<TokenId>(static_cast<std::size_t>(kShape.context + 1))};
  const auto too_long = measure_inputs(checkpoint, long_row, 1, {});
  ASSERT_FALSE(too_long);
  EXPECT_THAT(too_long.error().to_string(), HasSubstr("longer than the context"));
  const auto stopped =
      measure_inputs(checkpoint, std::vector<std::vector<TokenId>>{{1}}, 1, [](double) { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
}

TEST(CalibratedQ4, ANetworkStaysNearerToItself) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const RandomCheckpoint checkpoint(kShape, seed);
  const auto ids = random_rows(random, 1).front();
  // Final hidden states at all positions: what is off at one of them is chance.
  const auto states = [&](const Checkpoint& weights) {
    Decoder decoder(*Network::load(weights, *available_kernels().back()), std::make_shared<ComputePool>(1));
    const auto hidden = decoder.read_from_start(ids);
    return Floats(hidden.begin(), hidden.end());
  };
  const Floats expected = states(checkpoint);
  const auto error_with = [&](ConvertOptions options, const char* name) {
    const std::string path = testing::TempDir() + name;
    EXPECT_TRUE(convert(checkpoint, path, options));
    const auto stored = *open_checkpoint(path);
    EXPECT_EQ(stored->find("blk.1.ffn_down.weight")->dtype, DType::kQ4_0);
    const Floats got = states(*stored);
    double error = 0;
    for (std::size_t i = 0; i < got.size(); ++i) error += std::pow(got[i] - expected[i], 2);
    return error;
  };
  ConvertOptions options{.type = DType::kQ4_0, .metadata = {}, .progress = {}, .threads = 2};
  const double nearest = error_with(options, "nearest.gguf");
  options.calibration = random_rows(random, 8);
  EXPECT_LT(error_with(options, "calibrated.gguf"), nearest) << "seed " << seed;
}

}  // namespace
}  // namespace midinf
