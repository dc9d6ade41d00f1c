// 16-bit floats as 32-bit ones and back, in plain integer code: the same bits on every machine, at compile time too.
// Must not know: files, tensors. Read next: dtype.h.
#pragma once

#include <bit>
#include <cstdint>

namespace midinf {

/// IEEE binary16 to float32, exact (every float16 is a float32). [any thread]
constexpr float f16_to_f32(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t mantissa = half & 0x3FFU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float subnormal = static_cast<float>(mantissa) * 0x1p-24F;  // exact: at most 10 bits
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(subnormal));
}

/// Float32 to the nearest binary16, ties to even; magnitudes from 65,520 on become infinite. [any thread]
constexpr std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint32_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  std::uint32_t half = 0;
  if (magnitude > 0x7F800000U) {
    half = 0x7E00U | ((magnitude >> 13) & 0x3FFU);  // a quiet NaN
  } else if (magnitude >= 0x477FF000U) {
    half = 0x7C00U;
  } else if (magnitude >= 0x38800000U) {
    half = (magnitude - 0x38000000U + 0xFFFU + ((magnitude >> 13) & 1U)) >> 13;
  } else if (magnitude >= 0x33000000U) {  // 2^-25: below it everything rounds to zero
    const std::uint32_t mantissa = (magnitude & 0x7FFFFFU) | 0x800000U;
    const std::uint32_t shift = 126 - (magnitude >> 23);  // 14 … 24
    const std::uint32_t rest = mantissa & ((1U << shift) - 1);
    const std::uint32_t tie = 1U << (shift - 1);
    half = mantissa >> shift;
    if (rest > tie || (rest == tie && (half & 1U) != 0)) ++half;
  }
  return static_cast<std::uint16_t>(sign | half);
}

/// bfloat16 (the upper half of a float32) to float32, exact. [any thread]
constexpr float bf16_to_f32(std::uint16_t upper) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(upper) << 16);
}

}  // namespace midinf
