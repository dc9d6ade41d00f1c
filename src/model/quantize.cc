#include "model/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/float16.h"

namespace midinf {
namespace {

// All that we build for is; the byte copies below say what would have to change elsewhere.
static_assert(std::endian::native == std::endian::little);

tl::unexpected<Error> bad_value(std::size_t index, int columns, float value, const char* what) {
  const auto width = static_cast<std::size_t>(columns);
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("row {}, column {} is {}, which {}; the source is damaged or its training diverged",
                          index / width, index % width, value, what));
}

void put(std::byte*& at, const void* value, std::size_t size) {
  std::memcpy(at, value, size);
  at += size;
}

// The upper half of the float32, ties to even. The value is finite; the largest ones round up to infinity.
std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

bool is_infinite(std::uint16_t half, std::uint16_t exponent) {
  return (half & 0x7FFFU) == exponent;
}

// One block; false when its scale does not fit float16.
bool encode_q4_block(std::span<const float> x, std::byte*& at) {
  float largest = 0, extreme = 0;
  for (const float value : x)
    if (std::fabs(value) > largest) largest = std::fabs(value), extreme = value;
  // The number of the largest magnitude becomes -8, which has no opposite.
  const float scale = extreme / -8.0F;
  const std::uint16_t stored_scale = f32_to_f16(scale);
  put(at, &stored_scale, sizeof stored_scale);
  const float inverse = scale == 0 || std::isinf(1.0F / scale) ? 0.0F : 1.0F / scale;
  const auto number = [&](std::size_t i) {
    return static_cast<unsigned>(std::clamp(std::floor(x[i] * inverse + 8.5F), 0.0F, 15.0F));
  };
  for (std::size_t i = 0; i < kQuantBlock / 2; ++i) {
    const auto pair = static_cast<std::byte>(number(i) | number(i + kQuantBlock / 2) << 4);
    put(at, &pair, 1);
  }
  return !is_infinite(stored_scale, 0x7C00U);
}

bool encode_q8_block(std::span<const float> x, std::byte*& at) {
  float largest = 0;
  for (const float value : x) largest = std::max(largest, std::fabs(value));
  const float scale = largest / 127.0F;
  const std::uint16_t stored_scale = f32_to_f16(scale);
  put(at, &stored_scale, sizeof stored_scale);
  // Times the reciprocal, as ggml does it: dividing rounds otherwise where a quotient lies half way (63.5 is common in
  // weights of few significant bits), and 0.6 % of the model's numbers would differ from the reference's by one.
  // A scale so small that it has no reciprocal decodes to zero anyway.
  const float inverse = scale == 0 || std::isinf(1.0F / scale) ? 0.0F : 1.0F / scale;
  for (const float value : x) {
    // A subnormal scale's own rounding can carry a number past 127.
    const auto number = static_cast<std::int8_t>(std::clamp(std::round(value * inverse), -127.0F, 127.0F));
    put(at, &number, sizeof number);
  }
  return !is_infinite(stored_scale, 0x7C00U);
}

}  // namespace

Result<std::vector<std::byte>> encode(DType dtype, std::span<const float> values, int columns) {
  MIDINF_ASSERT(columns > 0 && values.size() % static_cast<std::size_t>(columns) == 0);
  MIDINF_ASSERT(!is_quantized(dtype) || columns % kQuantBlock == 0);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) return bad_value(i, columns, values[i], "is not a number to compute with");

  std::vector<std::byte> bytes(values.size() / static_cast<std::size_t>(columns) * row_bytes(dtype, columns));
  std::byte* at = bytes.data();
  if (dtype == DType::kF32) {
    std::memcpy(at, values.data(), bytes.size());
  } else if (is_quantized(dtype)) {
    for (std::size_t i = 0; i < values.size(); i += kQuantBlock) {
      const auto block = values.subspan(i, kQuantBlock);
      if (!(dtype == DType::kQ8_0 ? encode_q8_block(block, at) : encode_q4_block(block, at)))
        return bad_value(
            i, columns, values[i],
            dtype == DType::kQ8_0 ? "lies in a block too large for q8_0" : "lies in a block too large for q4_0");
    }
  } else {
    const bool f16 = dtype == DType::kF16;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint16_t half = f16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
      if (is_infinite(half, f16 ? 0x7C00U : 0x7F80U))
        return bad_value(i, columns, values[i], f16 ? "is too large for f16" : "is too large for bf16");
      put(at, &half, sizeof half);
    }
  }
  return bytes;
}

void decode(DType dtype, std::span<const std::byte> bytes, std::span<float> out) {
  if (dtype == DType::kF32) {
    MIDINF_ASSERT(bytes.size() == out.size_bytes());
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
    return;
  }
  if (is_quantized(dtype)) {
    const std::size_t block_bytes = row_bytes(dtype, kQuantBlock);
    MIDINF_ASSERT(out.size() % kQuantBlock == 0 && bytes.size() == out.size() / kQuantBlock * block_bytes);
    const std::byte* at = bytes.data();
    for (std::size_t block = 0; block < out.size(); block += kQuantBlock, at += block_bytes) {
      std::uint16_t half = 0;
      std::memcpy(&half, at, sizeof half);
      const float scale = f16_to_f32(half);
      const std::byte* numbers = at + sizeof half;
      for (std::size_t i = 0; i < kQuantBlock; ++i) {
        if (dtype == DType::kQ8_0) {
          out[block + i] = scale * static_cast<float>(static_cast<std::int8_t>(numbers[i]));
        } else {
          const int pair = std::to_integer<int>(numbers[i % (kQuantBlock / 2)]);
          out[block + i] = scale * static_cast<float>((i < kQuantBlock / 2 ? pair & 15 : pair >> 4) - 8);
        }
      }
    }
    return;
  }
  MIDINF_ASSERT(bytes.size() == out.size() * 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes.data() + 2 * i, sizeof half);
    out[i] = dtype == DType::kF16 ? f16_to_f32(half) : bf16_to_f32(half);
  }
}

}  // namespace midinf
