// Every float16 there is, and every point half way between two of them.
#include "base/float16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace midinf {
namespace {

static_assert(f16_to_f32(0x3C00) == 1.0F && f32_to_f16(1.0F) == 0x3C00, "usable at compile time");

bool is_finite(std::uint16_t half) {
  return (half & 0x7C00) != 0x7C00;
}

TEST(Float16, EveryHalfHasTheValueThatIeee754Gives) {
  for (int half = 0; half < 0x8000; ++half) {
    const int exponent = half >> 10;
    const int mantissa = half & 0x3FF;
    if (exponent == 31) continue;
    const double expected = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    ASSERT_EQ(f16_to_f32(static_cast<std::uint16_t>(half)), expected) << half;
    ASSERT_EQ(f16_to_f32(static_cast<std::uint16_t>(half | 0x8000)), -expected) << half;
  }
  EXPECT_TRUE(std::signbit(f16_to_f32(0x8000)));
  EXPECT_EQ(f16_to_f32(0x7C00), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(f16_to_f32(0x7C01)));
}

TEST(Float16, EveryHalfSurvivesTheRoundTrip) {
  for (int half = 0; half < 0x10000; ++half) {
    const auto bits = static_cast<std::uint16_t>(half);
    const std::uint16_t back = f32_to_f16(f16_to_f32(bits));
    if ((half & 0x7C00) == 0x7C00 && (half & 0x3FF) != 0) {
      ASSERT_EQ(back, bits | 0x200) << "a NaN stays one, made quiet";
    } else {
      ASSERT_EQ(back, bits);
    }
  }
}

TEST(Float16, RoundsToNearestAndTiesToEven) {
  for (int half = 0; half < 0x7BFF; ++half) {
    const auto below = static_cast<std::uint16_t>(half);
    const auto above = static_cast<std::uint16_t>(half + 1);
    ASSERT_TRUE(is_finite(above));
    const float middle = (f16_to_f32(below) + f16_to_f32(above)) / 2;  // exact: 12 bits
    ASSERT_EQ(f32_to_f16(middle), half % 2 == 0 ? below : above) << half;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 0.0F)), below) << half;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 1e6F)), above) << half;
    ASSERT_EQ(f32_to_f16(-middle), (half % 2 == 0 ? below : above) | 0x8000) << half;
  }
}

TEST(Float16, EndsOfTheRange) {
  EXPECT_EQ(f32_to_f16(65504.0F), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65519.996F), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65520.0F), 0x7C00) << "half way to the next, which is infinity";
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::max()), 0x7C00);
  EXPECT_EQ(f32_to_f16(-std::numeric_limits<float>::infinity()), 0xFC00);
  EXPECT_EQ(f32_to_f16(0x1p-25F), 0) << "a tie with zero";
  EXPECT_EQ(f32_to_f16(std::nextafter(0x1p-25F, 1.0F)), 1);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(f32_to_f16(-0.0F), 0x8000);
}

TEST(Bfloat16, IsTheUpperHalf) {
  EXPECT_EQ(bf16_to_f32(0x3F80), 1.0F);
  EXPECT_EQ(bf16_to_f32(0xC020), -2.5F);
}

}  // namespace
}  // namespace midinf
