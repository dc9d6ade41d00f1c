// A tensor as a training framework stored it: its own name, shape and strides, over bytes that somebody else keeps.
// What safetensors.h and pytorch_bin.h hand to huggingface.h. Must not know: what the names mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace midinf {

/// One stored tensor. Whoever makes one has checked that every element that shape and strides can address lies in
/// `bytes`; whoever reads it need not check again.
struct RawTensor {
  std::string name;
  std::string type;                    ///< the format's own word, "F16" or "HalfStorage", for messages
  std::optional<DType> dtype;          ///< nothing for types that no weight may have (masks, integers)
  std::vector<std::uint64_t> shape;    ///< outermost first; empty for a scalar
  std::vector<std::uint64_t> strides;  ///< in elements, one a dimension
  std::span<const std::byte> bytes;    ///< from the first element on
};

/// "[3, 4]".
std::string shape_text(std::span<const std::uint64_t> shape);

/// The strides of a dense row-major tensor of this shape. Precondition: the product of the shape fits 64 bits.
std::vector<std::uint64_t> dense_strides(std::span<const std::uint64_t> shape);

/// The product of `shape`, or nothing where it passes `limit`. A shape with a 0 has 0 elements.
std::optional<std::uint64_t> element_count(std::span<const std::uint64_t> shape, std::uint64_t limit);

/// Elements [row, 0 … out.size()) of a matrix, or the first out.size() of a vector when `row` is 0, as float32.
/// Precondition: `tensor.dtype` is f32, f16 or bf16, one or two dimensions, indices within the shape. [any thread]
void read_row(const RawTensor& tensor, std::uint64_t row, std::span<float> out);

}  // namespace midinf
