#include "model/raw_tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>

#include "base/float16.h"
#include "base/result.h"

namespace midinf {
namespace {

template <class Unsigned>
Unsigned load(const std::byte* at) {  // little endian on every machine
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i)
    value = static_cast<Unsigned>(value | (static_cast<Unsigned>(at[i]) << (8 * i)));
  return value;
}

}  // namespace

std::string shape_text(std::span<const std::uint64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::vector<std::uint64_t> dense_strides(std::span<const std::uint64_t> shape) {
  std::vector<std::uint64_t> strides(shape.size());
  std::uint64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

std::optional<std::uint64_t> element_count(std::span<const std::uint64_t> shape, std::uint64_t limit) {
  for (const std::uint64_t size : shape)
    if (size == 0) return 0;
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) {
    if (size > limit / count) return std::nullopt;
    count *= size;
  }
  return count;
}

void read_row(const RawTensor& tensor, std::uint64_t row, std::span<float> out) {
  MIDINF_ASSERT(tensor.dtype && !is_quantized(*tensor.dtype) && (tensor.shape.size() == 1 || tensor.shape.size() == 2));
  const bool matrix = tensor.shape.size() == 2;
  MIDINF_ASSERT(out.size() <= tensor.shape.back() && (matrix ? row < tensor.shape[0] : row == 0));
  const std::size_t size = row_bytes(*tensor.dtype, 1);
  const std::uint64_t step = tensor.strides.back() * size;
  if (out.empty()) return;
  const std::byte* at = tensor.bytes.data() + (matrix ? row * tensor.strides[0] * size : 0);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::byte* element = at + i * step;
    switch (*tensor.dtype) {
      case DType::kF32:
        out[i] = std::bit_cast<float>(load<std::uint32_t>(element));
        break;
      case DType::kF16:
        out[i] = f16_to_f32(load<std::uint16_t>(element));
        break;
      default:
        out[i] = bf16_to_f32(load<std::uint16_t>(element));
        break;
    }
  }
}

}  // namespace midinf
