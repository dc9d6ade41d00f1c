#include "kernels/panels.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "base/float16.h"
#include "base/result.h"

namespace midinf {
namespace {

std::uint16_t u16(const std::byte* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, 2);
  return bits;
}

float number(DType type, const std::byte* at) {
  if (type == DType::kF16) return f16_to_f32(u16(at));
  if (type == DType::kBF16) return bf16_to_f32(u16(at));
  float value;
  std::memcpy(&value, at, 4);
  return value;
}

// Number `i` of a quantised block whose bytes behind the scale begin at `bytes`.
float quantized_number(DType type, float scale, const std::byte* bytes, int i) {
  if (type == DType::kQ8_0) return scale * static_cast<float>(static_cast<std::int8_t>(bytes[i]));
  const int byte = std::to_integer<int>(bytes[i % 16]);
  return scale * static_cast<float>((i < 16 ? byte & 15 : byte >> 4) - 8);
}

// One row into place r of a panel.
void pack_row(DType type, const std::byte* row, IndexRange columns, int r, std::byte* panel) {
  if (!is_quantized(type)) {
    const std::size_t size = row_bytes(type, 1);
    for (int c = 0; c < columns.size(); ++c)
      std::memcpy(panel + static_cast<std::size_t>(c * kPanelRows + r) * size,
                  row + static_cast<std::size_t>(columns.begin + c) * size, size);
    return;
  }
  const int bytes = static_cast<int>(row_bytes(type, kQuantBlock)) - 2;
  for (int c = 0; c < columns.size(); c += kQuantBlock) {
    const std::byte* block = row + row_bytes(type, columns.begin + c);
    std::memcpy(panel + scale_at(type, r, c), block, 2);
    for (int i = 0; i < bytes; i += 4) std::memcpy(panel + bytes_at(type, r, c, i), block + 2 + i, 4);
  }
}

}  // namespace

PanelMatrix pack(const MatrixView& from, std::span<const int> rows, IndexRange columns, std::byte* to) {
  const PanelMatrix packed{from.type, to, static_cast<int>(rows.size()), columns.size()};
  MIDINF_ASSERT(!is_quantized(from.type) || (columns.begin % kQuantBlock == 0 && columns.end % kQuantBlock == 0));
  for (int p = 0; p < packed.panels(); ++p) {
    std::byte* panel = to + static_cast<std::size_t>(p) * packed.panel_bytes();
    if ((p + 1) * kPanelRows > packed.rows) std::memset(panel, 0, packed.panel_bytes());
    for (int r = 0; r < kPanelRows && p * kPanelRows + r < packed.rows; ++r)
      pack_row(from.type, from.row(rows[static_cast<std::size_t>(p * kPanelRows + r)]), columns, r, panel);
  }
  return packed;
}

bool has_finite_scales(const MatrixView& w) {
  constexpr std::uint16_t kExponent = 0x7C00;
  if (!is_quantized(w.type)) return true;
  const std::size_t block = row_bytes(w.type, kQuantBlock);
  const std::byte* const end = w.row(w.rows);
  bool finite = true;
  for (const std::byte* at = w.data; at < end; at += block) finite &= (u16(at) & kExponent) != kExponent;
  return finite;
}

void read_row(const MatrixView& w, int r, std::span<float> out) {
  MIDINF_ASSERT(r >= 0 && r < w.rows && out.size() == static_cast<std::size_t>(w.columns));
  const std::byte* row = w.row(r);
  for (int c = 0; c < w.columns; ++c) {
    float& value = out[static_cast<std::size_t>(c)];
    if (is_quantized(w.type)) {
      const std::byte* block = row + row_bytes(w.type, c / kQuantBlock * kQuantBlock);
      value = quantized_number(w.type, f16_to_f32(u16(block)), block + 2, c % kQuantBlock);
    } else {
      value = number(w.type, row + static_cast<std::size_t>(c) * row_bytes(w.type, 1));
    }
  }
}

void read_row(const PanelMatrix& w, int r, std::span<float> out) {
  MIDINF_ASSERT(r >= 0 && r < w.rows && out.size() == static_cast<std::size_t>(w.columns));
  const std::byte* panel = w.panel(r / kPanelRows);
  r %= kPanelRows;
  if (!is_quantized(w.type)) {
    for (int c = 0; c < w.columns; ++c)
      out[static_cast<std::size_t>(c)] =
          number(w.type, panel + static_cast<std::size_t>(c * kPanelRows + r) * row_bytes(w.type, 1));
    return;
  }
  std::array<std::byte, kQuantBlock> block;
  const int bytes = static_cast<int>(row_bytes(w.type, kQuantBlock)) - 2;
  for (int c = 0; c < w.columns; c += kQuantBlock) {
    for (int i = 0; i < bytes; i += 4)
      std::memcpy(&block[static_cast<std::size_t>(i)], panel + bytes_at(w.type, r, c, i), 4);
    const float scale = f16_to_f32(u16(panel + scale_at(w.type, r, c)));
    for (int i = 0; i < kQuantBlock; ++i)
      out[static_cast<std::size_t>(c + i)] = quantized_number(w.type, scale, block.data(), i);
  }
}

}  // namespace midinf
