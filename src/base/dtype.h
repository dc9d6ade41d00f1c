// How the numbers of a weight matrix are stored. Read next: kernels/kernels.h, model/checkpoint.h.
#pragma once

#include <cstddef>
#include <string_view>

namespace midinf {

/// Q8_0 is ggml's: blocks of 32 numbers along a row, each a float16 scale and 32 int8: 34 bytes.
enum class DType { kF32, kF16, kBF16, kQ8_0 };

inline constexpr int kQ8Block = 32;
inline constexpr int kQ8BlockBytes = 34;

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
  }
  return "unknown";
}

/// Bytes of one row of `columns` numbers. Precondition: columns is a multiple of kQ8Block for Q8_0.
constexpr std::size_t row_bytes(DType dtype, int columns) {
  const auto count = static_cast<std::size_t>(columns);
  switch (dtype) {
    case DType::kF32:
      return count * 4;
    case DType::kF16:
    case DType::kBF16:
      return count * 2;
    case DType::kQ8_0:
      return count / kQ8Block * kQ8BlockBytes;
  }
  return 0;
}

}  // namespace midinf
