// Weights as the kernels stream them: panels of 32 rows, in which what one register holds stands side by side, so that
// a matrix-vector product reads memory from end to end. Read next: kernels.h; simd.h, which reads them.
//
// A panel of float32, float16 or bfloat16 holds, column after column, the 32 numbers of its rows. A panel of Q8_0
// holds blocks of 32 columns: 32 float16 scales, then eight times four columns of 32 rows, the four int8 of a row
// together: one instruction multiplies them by the same four activations for as many rows as a register has lanes.
// Rows behind the last are zeros.
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
/// Precondition: columns begin and end at multiples of kQ8Block where the type is Q8_0.
PanelMatrix pack(const MatrixView& from, std::span<const int> rows, IndexRange columns, std::byte* to);

/// Row `r` as float32. out: [columns].
void read_row(const MatrixView& w, int r, std::span<float> out);
void read_row(const PanelMatrix& w, int r, std::span<float> out);

/// Where in a Q8_0 panel the four weights of a row begin that hold `column`; and its scale.
constexpr std::size_t q8_weights_at(int row, int column) {
  const int block = column / kQ8Block, four = column % kQ8Block / 4;
  return static_cast<std::size_t>(block * kQ8BlockBytes * kPanelRows + 2 * kPanelRows + (four * kPanelRows + row) * 4);
}
constexpr std::size_t q8_scale_at(int row, int column) {
  return static_cast<std::size_t>(column / kQ8Block * kQ8BlockBytes * kPanelRows + 2 * row);
}

}  // namespace midinf
