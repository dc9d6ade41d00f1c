// Weights as the kernels stream them: panels of 32 rows, in which what one register holds stands side by side, so that
// a matrix-vector product reads memory from end to end. Read next: kernels.h; simd.h, which reads them.
//
// A panel of float32, float16 or bfloat16 holds, column after column, the 32 numbers of its rows. A panel of a
// quantised type holds blocks of 32 columns: 32 float16 scales, then, four bytes of a row together, the first four of
// all 32 rows, the next four, and so on: one instruction multiplies them by the same four activations for as many rows
// as a register has lanes. Rows behind the last are zeros.
#pragma once

#include <cstddef>
#include <span>

#include "base/dtype.h"
#include "base/shares.h"

namespace midinf {

inline constexpr int kPanelRows = 32;

/// A matrix as it is stored in a file: row r stands at data + r · row_bytes(type, columns).
struct MatrixView {
  DType type = DType::kF32;
  const std::byte* data = nullptr;
  int rows = 0;
  int columns = 0;

  [[nodiscard]] const std::byte* row(int r) const {
    return data + static_cast<std::size_t>(r) * row_bytes(type, columns);
  }
};

/// A matrix in panels.
struct PanelMatrix {
  DType type = DType::kF32;
  const std::byte* data = nullptr;
  int rows = 0;
  int columns = 0;

  [[nodiscard]] int panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  [[nodiscard]] std::size_t panel_bytes() const { return kPanelRows * row_bytes(type, columns); }
  [[nodiscard]] const std::byte* panel(int p) const { return data + static_cast<std::size_t>(p) * panel_bytes(); }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(panels()) * panel_bytes(); }
};

/// The given rows, in this order, and columns of `from` as panels at `to`, which has room for the result's bytes().
/// Precondition: columns begin and end at multiples of kQuantBlock where the type is quantised.
PanelMatrix pack(const MatrixView& from, std::span<const int> rows, IndexRange columns, std::byte* to);

/// False when a block of a quantised matrix has a scale that is infinite or no number.
bool has_finite_scales(const MatrixView& w);

/// Row `r` as float32. out: [columns].
void read_row(const MatrixView& w, int r, std::span<float> out);
void read_row(const PanelMatrix& w, int r, std::span<float> out);

/// Where in a panel of a quantised type the scale of a row for `column` stands, and byte `byte`, a multiple of four, of
/// the block that it is in.
constexpr std::size_t scale_at(DType type, int row, int column) {
  return kPanelRows * row_bytes(type, column / kQuantBlock * kQuantBlock) + static_cast<std::size_t>(2 * row);
}
constexpr std::size_t bytes_at(DType type, int row, int column, int byte) {
  return kPanelRows * row_bytes(type, column / kQuantBlock * kQuantBlock) +
         static_cast<std::size_t>(2 * kPanelRows + byte * kPanelRows + 4 * row);
}

}  // namespace midinf
