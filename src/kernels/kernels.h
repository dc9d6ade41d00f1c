// The arithmetic of a transformer, one table of functions per instruction set, chosen when the program runs.
// Must not know: music, files, threads, what a network is. Every set computes in float32 and sums every output in an
// order of its own that depends neither on how many tokens are computed together nor on how rows are cut among threads:
// prefill and decode agree bit for bit, and so do one thread and two. Read next: plain/plain.cc (what each function
// means), avx2/avx2.cc (the same, fast), model/forward.cc (who calls them).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/dtype.h"
#include "base/result.h"

namespace midinf {

/// A weight matrix in memory: row r stands at data + r · row_bytes(type, columns).
struct MatrixView {
  DType type = DType::kF32;
  const std::byte* data = nullptr;
  int rows = 0;
  int columns = 0;

  [[nodiscard]] const std::byte* row(int r) const {
    return data + static_cast<std::size_t>(r) * row_bytes(type, columns);
  }
};

/// Rows begin..end-1 of a matrix; where they go is said by the caller.
struct RowBlock {
  int begin = 0;
  int end = 0;
};

/// One instruction set's functions. All pointers are valid in a set that select_kernels returns. Float32 throughout.
/// Scratch memory: a row as float32 (plain), 128 KB a thread that stay with it (avx2). [any thread]
struct KernelSet {
  std::string_view name;

  /// y[t · y_stride + r - rows.begin] = bias[r] + Σ_c W[r, c] · x[t · columns + c], for r in rows and t < tokens.
  /// bias is indexed by the matrix row, or empty. x: [tokens, columns]; y: room for (tokens - 1) · y_stride + rows.
  void (*multiply)(const MatrixView& w, RowBlock rows, std::span<const float> bias, std::span<const float> x,
                   int tokens, float* y, int y_stride);

  /// y[t] = (x[t] - mean) / √(variance + epsilon) · weight + bias; x, y: [width].
  void (*layer_norm)(std::span<const float> x, std::span<const float> weight, std::span<const float> bias,
                     float epsilon, std::span<float> y);

  /// x = gelu(x), the tanh form.
  void (*gelu)(std::span<float> x);

  /// One head, one query: out = Σ_p softmax_p(q · keys[p] / √head_width) · values[p].
  /// q, out: [head_width]; keys, values: [positions, head_width]; scores: scratch of [positions].
  void (*attend)(std::span<const float> q, std::span<const float> keys, std::span<const float> values,
                 std::span<float> scores, std::span<float> out);
};

/// Row `r` of `w` as float32. out: [columns].
void read_row(const MatrixView& w, int r, std::span<float> out);

/// The sets that this machine can run, best first; "plain" is always among them.
std::span<const KernelSet* const> available_kernels();

/// The best set, or the one called `name` ("plain", "avx2"); an empty name asks the environment variable
/// MIDINFINITE_KERNELS first. Errors: kUnsupported, naming the sets that there are.
Result<const KernelSet*> select_kernels(std::string_view name = {});

}  // namespace midinf
