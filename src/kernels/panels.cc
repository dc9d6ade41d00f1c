#include "kernels/panels.h"

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

// One row into place r of a panel.
void pack_row(DType type, const std::byte* row, IndexRange columns, int r, std::byte* panel) {
  if (type != DType::kQ8_0) {
    const std::size_t size = row_bytes(type, 1);
    for (int c = 0; c < columns.size(); ++c)
      std::memcpy(panel + static_cast<std::size_t>(c * kPanelRows + r) * size,
                  row + static_cast<std::size_t>(columns.begin + c) * size, size);
    return;
  }
  for (int c = 0; c < columns.size(); c += kQ8Block) {
    const std::byte* block = row + (columns.begin + c) / kQ8Block * kQ8BlockBytes;
    std::memcpy(panel + q8_scale_at(r, c), block, 2);
    for (int i = 0; i < kQ8Block; i += 4) std::memcpy(panel + q8_weights_at(r, c + i), block + 2 + i, 4);
  }
}

}  // namespace

PanelMatrix pack(const MatrixView& from, std::span<const int> rows, IndexRange columns, std::byte* to) {
  const PanelMatrix packed{from.type, to, static_cast<int>(rows.size()), columns.size()};
  MIDINF_ASSERT(from.type != DType::kQ8_0 || (columns.begin % kQ8Block == 0 && columns.end % kQ8Block == 0));
  for (int p = 0; p < packed.panels(); ++p) {
    std::byte* panel = to + static_cast<std::size_t>(p) * packed.panel_bytes();
    if ((p + 1) * kPanelRows > packed.rows) std::memset(panel, 0, packed.panel_bytes());
    for (int r = 0; r < kPanelRows && p * kPanelRows + r < packed.rows; ++r)
      pack_row(from.type, from.row(rows[static_cast<std::size_t>(p * kPanelRows + r)]), columns, r, panel);
  }
  return packed;
}

void read_row(const MatrixView& w, int r, std::span<float> out) {
  MIDINF_ASSERT(r >= 0 && r < w.rows && out.size() == static_cast<std::size_t>(w.columns));
  const std::byte* row = w.row(r);
  for (int c = 0; c < w.columns; ++c) {
    float& value = out[static_cast<std::size_t>(c)];
    if (w.type == DType::kQ8_0) {
      const std::byte* block = row + c / kQ8Block * kQ8BlockBytes;
      value = f16_to_f32(u16(block)) * static_cast<float>(static_cast<std::int8_t>(block[2 + c % kQ8Block]));
    } else {
      value = number(w.type, row + static_cast<std::size_t>(c) * row_bytes(w.type, 1));
    }
  }
}

void read_row(const PanelMatrix& w, int r, std::span<float> out) {
  MIDINF_ASSERT(r >= 0 && r < w.rows && out.size() == static_cast<std::size_t>(w.columns));
  const std::byte* panel = w.panel(r / kPanelRows);
  r %= kPanelRows;
  for (int c = 0; c < w.columns; ++c) {
    float& value = out[static_cast<std::size_t>(c)];
    if (w.type == DType::kQ8_0)
      value =
          f16_to_f32(u16(panel + q8_scale_at(r, c))) *
          static_cast<float>(static_cast<std::int8_t>(panel[q8_weights_at(r, c) + static_cast<std::size_t>(c % 4)]));
    else
      value = number(w.type, panel + static_cast<std::size_t>(c * kPanelRows + r) * row_bytes(w.type, 1));
  }
}

}  // namespace midinf
