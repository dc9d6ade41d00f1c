#include "model/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/float16.h"

namespace midinf {
namespace {

using testing::HasSubstr;

std::vector<float> round_trip(DType dtype, const std::vector<float>& values, int columns) {
  const auto bytes = encode(dtype, values, columns);
  EXPECT_TRUE(bytes) << bytes.error().to_string();
  std::vector<float> back(values.size());
  decode(dtype, *bytes, back);
  return back;
}

std::vector<float> random_values(std::size_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.05F);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

TEST(Quantize, Q8BlockIsAScaleAndThirtyTwoNumbers) {
  std::vector<float> values(32, 0.0F);
  values[0] = -254.0F;  // scale 2
  values[1] = 2.0F;
  values[2] = 3.0F;   // 1.5
  values[3] = -3.0F;  // -1.5
  values[4] = 0.9F;
  const auto bytes = encode(DType::kQ8_0, values, 32);
  ASSERT_TRUE(bytes);
  ASSERT_EQ(bytes->size(), 34U);
  std::uint16_t scale = 0;
  std::memcpy(&scale, bytes->data(), 2);
  EXPECT_EQ(f16_to_f32(scale), 2.0F);
  const auto number = [&](int i) {
    return static_cast<int>(static_cast<std::int8_t>((*bytes)[2 + static_cast<std::size_t>(i)]));
  };
  EXPECT_EQ(number(0), -127);
  EXPECT_EQ(number(1), 1);
  EXPECT_EQ(number(2), 2) << "halves away from zero";
  EXPECT_EQ(number(3), -2);
  EXPECT_EQ(number(4), 0);
  EXPECT_EQ(number(31), 0);
}

TEST(Quantize, Q4BlockIsAScaleAndThirtyTwoHalfBytes) {
  std::vector<float> values(32, 0.0F);
  values[0] = 16.0F;  // scale -2: the largest magnitude is -8
  values[1] = -14.0F;
  values[2] = -16.0F;  // 8 would be one too many
  values[3] = 1.0F;    // half a step: -0.5 + 8.5 = 8, the number 0
  values[16] = 6.0F;
  const auto bytes = encode(DType::kQ4_0, values, 32);
  ASSERT_TRUE(bytes);
  ASSERT_EQ(bytes->size(), 18U);
  std::uint16_t scale = 0;
  std::memcpy(&scale, bytes->data(), 2);
  EXPECT_EQ(f16_to_f32(scale), -2.0F);
  EXPECT_EQ(std::to_integer<int>((*bytes)[2]), 0 | 5 << 4);
  std::vector<float> decoded(32);
  decode(DType::kQ4_0, *bytes, decoded);
  EXPECT_EQ(decoded[0], 16.0F);
  EXPECT_EQ(decoded[1], -14.0F);
  EXPECT_EQ(decoded[2], -14.0F);
  EXPECT_EQ(decoded[3], 0.0F);
  EXPECT_EQ(decoded[16], 6.0F);
  EXPECT_EQ(decoded[31], 0.0F);
}

// ggml multiplies by the scale's float32 reciprocal; these are numbers where dividing by the scale rounds to 64 instead
// (half of the largest is 63.5 steps, before either rounding). The golden logits of mini-q8_0 depend on it.
TEST(Quantize, Q8MultipliesByTheReciprocalAsGgmlDoes) {
  int differing = 0;
  for (int mantissa = 16; mantissa < 32; ++mantissa) {
    std::vector<float> values(32, 0.0F);
    values[0] = static_cast<float>(mantissa) / 64;
    values[1] = values[0] / 2;
    const float scale = values[0] / 127.0F;
    const float inverse = 1.0F / scale;
    const auto bytes = encode(DType::kQ8_0, values, 32);
    ASSERT_TRUE(bytes);
    const int number = static_cast<std::int8_t>((*bytes)[3]);
    EXPECT_EQ(number, std::lround(values[1] * inverse));
    differing += number != std::lround(values[1] / scale);
  }
  EXPECT_GT(differing, 0) << "the case that the test is about does not occur";
}

TEST(Quantize, Q8ErrorIsAtMostHalfAStepAndTheScalesRounding) {
  const auto values = random_values(3 * 64);
  const auto back = round_trip(DType::kQ8_0, values, 64);
  for (std::size_t block = 0; block < values.size(); block += 32) {
    float largest = 0;
    for (std::size_t i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[block + i]));
    // Half a step, and up to 2^-11 of the value because the scale is a float16.
    const float bound = largest / 127 / 2 * 1.001F + largest * 0x1p-11F;
    for (std::size_t i = 0; i < 32; ++i) EXPECT_NEAR(values[block + i], back[block + i], bound);
  }
}

TEST(Quantize, Q8OfZerosAndOfTheTiniestNumbersIsZero) {
  EXPECT_THAT(round_trip(DType::kQ8_0, std::vector<float>(32, 0.0F), 32), testing::Each(0.0F));
  std::vector<float> tiny(32, std::numeric_limits<float>::denorm_min() * 190);
  tiny[5] = 0;
  EXPECT_THAT(round_trip(DType::kQ8_0, tiny, 32), testing::Each(0.0F));
}

TEST(Quantize, Q8IsStableOnItsOwnNumbers) {
  auto values = random_values(64);
  for (float& value : values) value = f16_to_f32(f32_to_f16(value));
  const auto once = round_trip(DType::kQ8_0, values, 64);
  std::vector<float> again = round_trip(DType::kQ8_0, once, 64);
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(once[i], again[i], std::fabs(once[i]) * 1e-3F);
}

TEST(Quantize, F32AndF16KeepWhatTheyCan) {
  const std::vector<float> values = {1.0F, -0.0F, 0.333333343F, 65504.0F, 1e-30F, -2.5F};
  EXPECT_EQ(round_trip(DType::kF32, values, 3), values);
  EXPECT_THAT(round_trip(DType::kF16, values, 3),
              testing::ElementsAre(1.0F, -0.0F, 0.333251953F, 65504.0F, 0.0F, -2.5F));
  EXPECT_THAT(round_trip(DType::kBF16, values, 3),
              testing::ElementsAre(1.0F, -0.0F, 0.333984375F, 65536.0F, testing::FloatNear(1e-30F, 1e-32F), -2.5F));
}

TEST(Quantize, RefusesWhatTheTypeCannotHoldAndSaysWhere) {
  std::vector<float> values(64, 1.0F);
  values[33] = std::numeric_limits<float>::quiet_NaN();
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0}) {
    const auto result = encode(dtype, values, 32);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(result.error().message, HasSubstr("row 1, column 1 is nan"));
  }
  values[33] = 70000.0F;
  EXPECT_THAT(encode(DType::kF16, values, 32).error().message,
              HasSubstr("row 1, column 1 is 70000, which is too large for f16"));
  EXPECT_TRUE(encode(DType::kQ8_0, values, 32));
  values[33] = 1e8F;
  EXPECT_THAT(encode(DType::kQ8_0, values, 32).error().message, HasSubstr("too large for q8_0"));
  values[33] = std::numeric_limits<float>::max();
  EXPECT_FALSE(encode(DType::kBF16, values, 32)) << "rounds up to infinity";
}

}  // namespace
}  // namespace midinf
