// How the numbers of a weight matrix are stored. Read next: kernels/kernels.h, model/checkpoint.h.
#pragma once

#include <cstddef>
#include <string_view>

namespace midinf {

/// The quantised types are ggml's: blocks of 32 numbers along a row, each a float16 scale and, in Q8_0, 32 int8; in
/// Q4_0, 16 bytes, of which byte i holds number i in its lower half and number 16 + i in its upper one, both plus 8.
enum class DType { kF32, kF16, kBF16, kQ8_0, kQ4_0 };

inline constexpr int kQuantBlock = 32;
inline constexpr int kQ8BlockBytes = 34;
inline constexpr int kQ4BlockBytes = 18;

constexpr bool is_quantized(DType dtype) {
  return dtype == DType::kQ8_0 || dtype == DType::kQ4_0;
}

constexpr std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF16:
      return "f16";
    case DType::kBF16:
      return "bf16";
    case DType::kQ8_0:
      return "q8_0";
    case DType::kQ4_0:
      return "q4_0";
  }
  return "unknown";
}

/// Bytes of one row of `columns` numbers. Precondition: columns is a multiple of kQuantBlock for a quantised type.
constexpr std::size_t row_bytes(DType dtype, int columns) {
  const auto count = static_cast<std::size_t>(columns);
  switch (dtype) {
    case DType::kF32:
      return count * 4;
    case DType::kF16:
    case DType::kBF16:
      return count * 2;
    case DType::kQ8_0:
      return count / kQuantBlock * kQ8BlockBytes;
    case DType::kQ4_0:
      return count / kQuantBlock * kQ4BlockBytes;
  }
  return 0;
}

}  // namespace midinf
