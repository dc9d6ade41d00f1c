// Float32 numbers to and from the types that a model file stores.
// Must not know: files, names. Read next: convert.h (its user), float16.h.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"

namespace midinf {

/// Stores `values`, rows of `columns` numbers, as `dtype`: row_bytes(dtype, columns) bytes a row, little endian.
///
/// f16 and bf16 round to nearest, ties to even. q8_0 is ggml's rule (quantize_row_q8_0_ref): blocks of 32 along the
/// row; scale = largest magnitude / 127, kept as float16; number = value · (1 / scale) with the scale *before* that
/// rounding and its float32 reciprocal, to the nearest integer, halves away from zero. q4_0 likewise
/// (quantize_row_q4_0_ref): scale = the number of the largest magnitude / -8, number = ⌊value · (1 / scale) + 8.5⌋, at
/// most 15. Precondition: values.size() is a multiple of columns, and columns of 32 for the two. Errors:
/// kInvalidArgument for a value that is not finite or too large for the type, with its position. Cost: about 1 ns a
/// number. [any thread]
Result<std::vector<std::byte>> encode(DType dtype, std::span<const float> values, int columns);

/// The numbers that `bytes` stand for: out.size() of them, whole blocks for q8_0 and q4_0; all exact in float32.
/// Precondition: bytes.size() fits out.size(). [any thread]
void decode(DType dtype, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace midinf
