// The arithmetic of a transformer, one table of functions per instruction set, chosen when the program runs.
// Must not know: music, files, threads, what a network is. Every output is a sum whose order depends neither on how
// many tokens are computed together nor on how panels are cut among threads: prefill and decode agree bit for bit, and
// so do one thread and two. Read next: panels.h (how weights lie in memory), plain/plain.cc (what each function means),
// simd.h (the same for every instruction set), model/forward.cc (who calls them).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/dtype.h"
#include "base/result.h"
#include "kernels/panels.h"

namespace midinf {

/// The largest whole number that an activation is rounded to, instead of 127: two products with bytes, 2 · 64 · 255,
/// fit into the 16 bits in which AVX2 and WebAssembly add them up. What a bit less costs: docs/decisions/015.
inline constexpr int kMostActivation = 64;
/// The same for keys and values, which are kept like weights.
inline constexpr int kMostCached = 127;

/// Activations of one or more tokens, [tokens, columns], as a product with weights of some type takes them: with float
/// weights the values, with quantised ones each 32 of them as int8 with a scale, and the sum of the int8.
/// A view; Activations in model/forward.cc owns.
struct ActivationView {
  const float* values = nullptr;
  const std::int8_t* quantized = nullptr;
  const float* scales = nullptr;       ///< [tokens, stride / kQuantBlock]
  const std::int32_t* sums = nullptr;  ///< [tokens, stride / kQuantBlock]
  int stride = 0;                      ///< from one token to the next

  /// The columns from `begin` on, a multiple of kQuantBlock where they are quantised.
  [[nodiscard]] ActivationView from(int begin) const {
    ActivationView part = *this;
    if (values != nullptr) part.values += begin;
    if (quantized != nullptr)
      part.quantized += begin, part.scales += begin / kQuantBlock, part.sums += begin / kQuantBlock;
    return part;
  }
  [[nodiscard]] ActivationView token(int t) const {
    ActivationView part = *this;
    if (values != nullptr) part.values += static_cast<std::ptrdiff_t>(t) * stride;
    if (quantized != nullptr) {
      part.quantized += static_cast<std::ptrdiff_t>(t) * stride;
      part.scales += static_cast<std::ptrdiff_t>(t) * (stride / kQuantBlock);
      part.sums += static_cast<std::ptrdiff_t>(t) * (stride / kQuantBlock);
    }
    return part;
  }
};

/// Value vectors that attention mixes: float32, or int8 with a scale for each 32.
struct ValueView {
  const float* values = nullptr;
  const std::int8_t* quantized = nullptr;
  const float* scales = nullptr;  ///< [positions, stride / kQuantBlock]
  int stride = 0;                 ///< from one position to the next
};

/// By how much each of some tokens weighs values: those of one sequence that follow each other, of which each sees one
/// position more than the one before it.
struct MixWeights {
  const float* weights = nullptr;  ///< [tokens, stride]
  int stride = 0;
  int seen = 0;  ///< the positions that the first one weighs
  int tokens = 0;
  const float* factors = nullptr;  ///< [tokens]
  int out_stride = 0;              ///< from one token's result to the next
};

/// Whether a product asks for memory a page ahead, or only for the first half kilobyte of the block that it begins: as
/// suits this processor (decision 015). WebAssembly has no way to ask.
extern const bool kPageAhead;

/// One instruction set's functions. All pointers are valid in a set that select_kernels returns. [any thread]
struct KernelSet {
  std::string_view name;
  /// Products with quantised weights take quantised activations; otherwise always float32.
  bool quantizes;
  /// What one more id adds to the time of a pass that reads one, of that time, about; 1 where it is too much to guess.
  float one_more;

  /// y[t · y_stride + r - 32 · panels.begin] = bias[r] + Σ_c W[r, c] · x[t, c] for the rows r of `panels` (also those
  /// behind the matrix's last) and t < tokens. bias: by matrix row, as many as the panels have, or nullptr.
  void (*multiply)(const PanelMatrix& w, IndexRange panels, const float* bias, const ActivationView& x, int tokens,
                   float* y, int y_stride);

  /// x as whole numbers -most … most with a scale for each 32: q = round(x · most / largest of the 32), ties to even;
  /// scales = largest / most, no number where one of the 32 is not finite; sums of q. Preconditions: count is a
  /// multiple of kQuantBlock; most is kMostActivation for what multiplies weights and keys, at most 127 for what is
  /// kept.
  void (*quantize)(const float* x, int count, int most, std::int8_t* q, float* scales, std::int32_t* sums);

  /// y = (x - mean) / √(variance + epsilon) · weight + bias; x, y: [width].
  void (*layer_norm)(std::span<const float> x, std::span<const float> weight, std::span<const float> bias,
                     float epsilon, std::span<float> y);

  /// x = gelu(x), the tanh form.
  void (*gelu)(std::span<float> x);

  /// scores = e^(scale · (scores - highest)); returns 1 / their sum.
  float (*softmax)(std::span<float> scores, float scale);

  /// out[t · out_stride + c] = factors[t] · Σ_p weights[t · stride + p] · values[p, c] for t < tokens, p < seen + t and
  /// c < columns, a multiple of kQuantBlock where values are quantised.
  void (*mix)(const ValueView& values, const MixWeights& weights, int columns, float* out);
};

/// The sets that this machine can run, best first; "plain" is always among them.
std::span<const KernelSet* const> available_kernels();

/// The best set, or the one called `name`; an empty name asks the environment variable MIDINFINITE_KERNELS first.
/// Errors: kUnsupported, naming the sets that there are.
Result<const KernelSet*> select_kernels(std::string_view name = {});

}  // namespace midinf
