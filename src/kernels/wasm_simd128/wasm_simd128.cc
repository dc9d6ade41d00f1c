// The kernels with WebAssembly's 128-bit registers; with relaxed SIMD its fused multiply-add. What each function means:
// plain/plain.cc.
//
// Every output is a sum of four lanes, each of which runs over the columns in order, so a matrix-vector product and a
// matrix-matrix product give the same bits. Q8_0 weights meet activations of 16 bits with a scale for each 32 of them:
// the products of a block are exact integers; the rounding costs 2^-16 of the largest of the 32, some 2e-5 of a sum.
#include <wasm_simd128.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/float16.h"
#include "kernels/kernels.h"

namespace midinf {
namespace {

constexpr int kMostColumns = 8'192;  // model loading refuses wider matrices
constexpr int kRows = 4;             // computed together: chains of additions that hide each other's latency
constexpr int kExpandedRows = 2;     // and for two tokens at once
constexpr int kTokenTile = 48;       // tokens whose inputs stay in the second-level cache while all rows pass by

inline v128_t multiply_add(v128_t a, v128_t b, v128_t c) {
#ifdef __wasm_relaxed_simd__
  return wasm_f32x4_relaxed_madd(a, b, c);
#else
  return wasm_f32x4_add(wasm_f32x4_mul(a, b), c);
#endif
}

inline float sum(v128_t v) {
  return (wasm_f32x4_extract_lane(v, 0) + wasm_f32x4_extract_lane(v, 2)) +
         (wasm_f32x4_extract_lane(v, 1) + wasm_f32x4_extract_lane(v, 3));
}

std::uint16_t u16(const std::byte* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, 2);
  return bits;
}

// Rows of weights: four columns at a time, or one (behind the last four).
struct F32Row {
  const std::byte* row;
  [[nodiscard]] v128_t at(int c) const { return wasm_v128_load(row + 4 * c); }
  [[nodiscard]] float one(int c) const {
    float value;
    std::memcpy(&value, row + 4 * c, 4);
    return value;
  }
};
struct F16Row {
  const std::byte* row;
  [[nodiscard]] v128_t at(int c) const { return wasm_f32x4_make(one(c), one(c + 1), one(c + 2), one(c + 3)); }
  [[nodiscard]] float one(int c) const { return f16_to_f32(u16(row + 2 * c)); }
};
struct Bf16Row {
  const std::byte* row;
  [[nodiscard]] v128_t at(int c) const { return wasm_i32x4_shl(wasm_u32x4_load16x4(row + 2 * c), 16); }
  [[nodiscard]] float one(int c) const { return bf16_to_f32(u16(row + 2 * c)); }
};

// y = W · x for R rows and T tokens.
template <int T, class Row, std::size_t R>
void tile(const std::array<Row, R>& rows, int columns, const float* x, float* y, int y_stride) {
  v128_t total[R][T];
  for (std::size_t r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t) total[r][t] = wasm_f32x4_const_splat(0);
  const int whole = columns / 4 * 4;
  for (int c = 0; c < whole; c += 4)
    for (int t = 0; t < T; ++t) {
      const v128_t xs = wasm_v128_load(x + t * columns + c);
      for (std::size_t r = 0; r < R; ++r) total[r][t] = multiply_add(rows[r].at(c), xs, total[r][t]);
    }
  for (std::size_t r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t) {
      float& out = y[static_cast<std::ptrdiff_t>(t) * y_stride + static_cast<std::ptrdiff_t>(r)];
      out = sum(total[r][t]);
      for (int c = whole; c < columns; ++c) out += rows[r].one(c) * x[t * columns + c];
    }
}

template <class Row, std::size_t R>
void rows_times_vector(const MatrixView& w, int first, const float* x, float* y) {
  std::array<Row, R> rows;
  for (std::size_t r = 0; r < R; ++r) rows[r] = {w.row(first + static_cast<int>(r))};
  tile<1>(rows, w.columns, x, y, 0);
}

template <class Row, std::size_t R>
void rows_times_tokens(const MatrixView& w, int first, const float* x, int tokens, float* y, int y_stride) {
  alignas(16) static thread_local float expanded[kExpandedRows * kMostColumns];
  std::array<F32Row, R> rows;
  for (std::size_t r = 0; r < R; ++r) {
    const Row row{w.row(first + static_cast<int>(r))};
    float* out = expanded + r * kMostColumns;
    const int whole = w.columns / 4 * 4;
    for (int c = 0; c < whole; c += 4) wasm_v128_store(out + c, row.at(c));
    for (int c = whole; c < w.columns; ++c) out[c] = row.one(c);
    rows[r] = {reinterpret_cast<const std::byte*>(out)};
  }
  int t = 0;
  const auto from = [&](int token) { return x + static_cast<std::ptrdiff_t>(token) * w.columns; };
  const auto to = [&](int token) { return y + static_cast<std::ptrdiff_t>(token) * y_stride; };
  for (; t + 2 <= tokens; t += 2) tile<2>(rows, w.columns, from(t), to(t), y_stride);
  for (; t < tokens; ++t) tile<1>(rows, w.columns, from(t), to(t), y_stride);
}

template <class Row>
void multiply_as(const MatrixView& w, RowBlock rows, const float* x, int tokens, float* y, int y_stride) {
  for (int t = 0; t < tokens; t += kTokenTile) {
    const int now = std::min(tokens - t, kTokenTile);
    const float* from = x + static_cast<std::ptrdiff_t>(t) * w.columns;
    float* to = y + static_cast<std::ptrdiff_t>(t) * y_stride - rows.begin;
    int r = rows.begin;
    if (now == 1) {
      for (; r + kRows <= rows.end; r += kRows) rows_times_vector<Row, kRows>(w, r, from, to + r);
      for (; r < rows.end; ++r) rows_times_vector<Row, 1>(w, r, from, to + r);
    } else {
      for (; r + kExpandedRows <= rows.end; r += kExpandedRows)
        rows_times_tokens<Row, kExpandedRows>(w, r, from, now, to + r, y_stride);
      for (; r < rows.end; ++r) rows_times_tokens<Row, 1>(w, r, from, now, to + r, y_stride);
    }
  }
}

// ---- Q8_0

// Activations of one or more tokens as 16-bit integers, each kQ8Block of them with a scale.
struct Activations {
  std::vector<std::int16_t> values;
  std::vector<float> scales;

  // What is not finite makes the scale so, and with it every output.
  void quantize(const float* x, std::size_t n) {
    values.resize(n);
    scales.resize(n / kQ8Block);
    for (std::size_t b = 0; b < scales.size(); ++b) {
      const float* from = x + b * kQ8Block;
      v128_t largest = wasm_f32x4_abs(wasm_v128_load(from));
      for (int j = 4; j < kQ8Block; j += 4) largest = wasm_f32x4_max(largest, wasm_f32x4_abs(wasm_v128_load(from + j)));
      largest = wasm_f32x4_max(largest, wasm_i32x4_shuffle(largest, largest, 2, 3, 0, 1));
      const float most =
          wasm_f32x4_extract_lane(wasm_f32x4_max(largest, wasm_i32x4_shuffle(largest, largest, 1, 0, 3, 2)), 0);
      scales[b] = most / kMost;
      const v128_t inverse = wasm_f32x4_splat(most > 0 ? kMost / most : 0);
      const auto rounded = [&](int j) {
        return wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(wasm_f32x4_mul(wasm_v128_load(from + j), inverse)));
      };
      for (int j = 0; j < kQ8Block; j += 8)
        wasm_v128_store(&values[b * kQ8Block + static_cast<std::size_t>(j)],
                        wasm_i16x8_narrow_i32x4(rounded(j), rounded(j + 4)));
    }
  }

 private:
  static constexpr float kMost = 32'767;
};

// Every 16-bit float as a 32-bit one: a look-up is quicker than taking it apart.
const std::vector<float> kF16 = [] {
  std::vector<float> table(std::size_t{1} << 16);
  for (std::size_t bits = 0; bits < table.size(); ++bits) table[bits] = f16_to_f32(static_cast<std::uint16_t>(bits));
  return table;
}();

// A function of its own: browsers allocate registers well in small ones only.
template <int T, std::size_t R>
[[gnu::noinline]] void q8_tile(const std::array<const std::byte*, R>& rows, int columns, const std::int16_t* x,
                               const float* x_scales, float* y, int y_stride) {
  const int blocks = columns / kQ8Block;
  v128_t total[R][T];
  for (std::size_t r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t) total[r][t] = wasm_f32x4_const_splat(0);
  for (int i = 0; i < blocks; ++i) {
    v128_t block[R][T];
    for (int j = 0; j < kQ8Block; j += 8) {
      v128_t xs[T];
      for (int t = 0; t < T; ++t) xs[t] = wasm_v128_load(x + t * columns + kQ8Block * i + j);
      for (std::size_t r = 0; r < R; ++r) {
        const v128_t ws = wasm_i16x8_load8x8(rows[r] + i * kQ8BlockBytes + 2 + j);
        for (int t = 0; t < T; ++t) {
          const v128_t products = wasm_i32x4_dot_i16x8(ws, xs[t]);
          block[r][t] = j == 0 ? products : wasm_i32x4_add(block[r][t], products);
        }
      }
    }
    for (std::size_t r = 0; r < R; ++r) {
      const float scale = kF16[u16(rows[r] + i * kQ8BlockBytes)];
      for (int t = 0; t < T; ++t)
        total[r][t] = multiply_add(wasm_f32x4_convert_i32x4(block[r][t]),
                                   wasm_f32x4_splat(scale * x_scales[t * blocks + i]), total[r][t]);
    }
  }
  for (std::size_t r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t)
      y[static_cast<std::ptrdiff_t>(t) * y_stride + static_cast<std::ptrdiff_t>(r)] = sum(total[r][t]);
}

template <std::size_t R>
void q8_rows(const MatrixView& w, int first, const Activations& x, int tokens, float* y, int y_stride) {
  std::array<const std::byte*, R> rows;
  for (std::size_t r = 0; r < R; ++r) rows[r] = w.row(first + static_cast<int>(r));
  int t = 0;
  const auto values = [&](int token) { return x.values.data() + static_cast<std::ptrdiff_t>(token) * w.columns; };
  const auto scales = [&](int token) {
    return x.scales.data() + static_cast<std::ptrdiff_t>(token) * (w.columns / kQ8Block);
  };
  const auto to = [&](int token) { return y + static_cast<std::ptrdiff_t>(token) * y_stride; };
  for (; t + 2 <= tokens; t += 2) q8_tile<2>(rows, w.columns, values(t), scales(t), to(t), y_stride);
  for (; t < tokens; ++t) q8_tile<1>(rows, w.columns, values(t), scales(t), to(t), y_stride);
}

void multiply_q8(const MatrixView& w, RowBlock rows, const float* x, int tokens, float* y, int y_stride) {
  static thread_local Activations quantized;
  for (int t = 0; t < tokens; t += kTokenTile) {
    const int now = std::min(tokens - t, kTokenTile);
    quantized.quantize(x + static_cast<std::ptrdiff_t>(t) * w.columns,
                       static_cast<std::size_t>(now) * static_cast<std::size_t>(w.columns));
    float* to = y + static_cast<std::ptrdiff_t>(t) * y_stride - rows.begin;
    int r = rows.begin;
    if (now > 1)
      for (; r + kRows <= rows.end; r += kRows) q8_rows<kRows>(w, r, quantized, now, to + r, y_stride);
    for (; r < rows.end; ++r) q8_rows<1>(w, r, quantized, now, to + r, y_stride);
  }
}

void multiply(const MatrixView& w, RowBlock rows, std::span<const float> bias, std::span<const float> x, int tokens,
              float* y, int y_stride) {
  MIDINF_ASSERT(w.columns <= kMostColumns);
  switch (w.type) {
    case DType::kF32:
      multiply_as<F32Row>(w, rows, x.data(), tokens, y, y_stride);
      break;
    case DType::kF16:
      multiply_as<F16Row>(w, rows, x.data(), tokens, y, y_stride);
      break;
    case DType::kBF16:
      multiply_as<Bf16Row>(w, rows, x.data(), tokens, y, y_stride);
      break;
    case DType::kQ8_0:
      multiply_q8(w, rows, x.data(), tokens, y, y_stride);
      break;
  }
  if (bias.empty()) return;
  for (int t = 0; t < tokens; ++t)
    for (int r = rows.begin; r < rows.end; ++r)
      y[static_cast<std::ptrdiff_t>(t) * y_stride + (r - rows.begin)] += bias[static_cast<std::size_t>(r)];
}

void layer_norm(std::span<const float> x, std::span<const float> weight, std::span<const float> bias, float epsilon,
                std::span<float> y) {
  const std::size_t n = x.size(), whole = n / 4 * 4;
  v128_t sums = wasm_f32x4_const_splat(0), squares = wasm_f32x4_const_splat(0);
  for (std::size_t i = 0; i < whole; i += 4) sums = wasm_f32x4_add(sums, wasm_v128_load(&x[i]));
  float mean = sum(sums);
  for (std::size_t i = whole; i < n; ++i) mean += x[i];
  mean /= static_cast<float>(n);
  for (std::size_t i = 0; i < whole; i += 4) {
    const v128_t d = wasm_f32x4_sub(wasm_v128_load(&x[i]), wasm_f32x4_splat(mean));
    squares = multiply_add(d, d, squares);
  }
  float variance = sum(squares);
  for (std::size_t i = whole; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean);
  const float scale = 1.0F / std::sqrt(variance / static_cast<float>(n) + epsilon);
  for (std::size_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

// e^x = 2^n · e^r with x = n·ln 2 + r, |r| ≤ ln 2 / 2, and e^r by its Taylor series: relative error below 2·10^-7.
inline v128_t exp4(v128_t x) {
  const auto all = [](float value) { return wasm_f32x4_splat(value); };
  x = wasm_f32x4_min(wasm_f32x4_max(x, all(-87.0F)), all(88.0F));
  const v128_t n = wasm_f32x4_nearest(wasm_f32x4_mul(x, all(1.44269504F)));
  // ln 2 in two parts, the first short enough for n times it to be exact.
  const v128_t r = multiply_add(n, all(2.12194440e-4F), multiply_add(n, all(-0.693359375F), x));
  v128_t p = all(1.0F / 5040);
  for (const float next : {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F})
    p = multiply_add(p, r, all(next));
  const v128_t exponent = wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_splat(127)), 23);
  return wasm_f32x4_mul(p, exponent);
}

// Fewer than four floats as a register, the rest filled with `fill`.
v128_t part(const float* from, std::size_t count, float fill) {
  std::array<float, 4> values{fill, fill, fill, fill};
  std::copy_n(from, count, values.begin());
  return wasm_v128_load(values.data());
}
void store_part(v128_t v, float* to, std::size_t count) {
  std::array<float, 4> values;
  wasm_v128_store(values.data(), v);
  std::copy_n(values.begin(), count, to);
}

// 0.5·x·(1 + tanh u) = x / (1 + e^(-2u))
inline v128_t gelu4(v128_t x) {
  const v128_t cube = wasm_f32x4_mul(wasm_f32x4_mul(x, x), x);
  const v128_t u = wasm_f32x4_mul(wasm_f32x4_splat(-1.5957691216F), multiply_add(cube, wasm_f32x4_splat(0.044715F), x));
  return wasm_f32x4_div(x, wasm_f32x4_add(wasm_f32x4_splat(1.0F), exp4(u)));
}

void gelu(std::span<float> x) {
  const std::size_t whole = x.size() / 4 * 4;
  for (std::size_t i = 0; i < whole; i += 4) wasm_v128_store(&x[i], gelu4(wasm_v128_load(&x[i])));
  if (const std::size_t rest = x.size() - whole; rest > 0)
    store_part(gelu4(part(x.data() + whole, rest, 0)), x.data() + whole, rest);
}

float dot(const float* a, const float* b, std::size_t n) {
  v128_t total = wasm_f32x4_const_splat(0);
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) total = multiply_add(wasm_v128_load(a + i), wasm_v128_load(b + i), total);
  float result = sum(total);
  for (; i < n; ++i) result += a[i] * b[i];
  return result;
}

void attend(std::span<const float> q, std::span<const float> keys, std::span<const float> values,
            std::span<float> scores, std::span<float> out) {
  const std::size_t width = q.size(), positions = scores.size();
  const float scale = 1.0F / std::sqrt(static_cast<float>(width));
  float highest = -3.4e38F;
  for (std::size_t p = 0; p < positions; ++p) {
    scores[p] = dot(q.data(), keys.data() + p * width, width) * scale;
    highest = std::max(highest, scores[p]);
  }
  const v128_t top = wasm_f32x4_splat(highest);
  v128_t totals = wasm_f32x4_const_splat(0);
  std::size_t p = 0;
  for (; p + 4 <= positions; p += 4) {
    const v128_t e = exp4(wasm_f32x4_sub(wasm_v128_load(&scores[p]), top));
    wasm_v128_store(&scores[p], e);
    totals = wasm_f32x4_add(totals, e);
  }
  float total = sum(totals);
  if (const std::size_t rest = positions - p; rest > 0) {
    store_part(exp4(wasm_f32x4_sub(part(scores.data() + p, rest, highest), top)), scores.data() + p, rest);
    for (; p < positions; ++p) total += scores[p];
  }
  const float inverse = 1.0F / total;
  std::size_t c = 0;
  const auto mix = [&]<int L>(std::integral_constant<int, L>) {  // 4 · L columns of all positions
    v128_t mixed[L];
    for (v128_t& m : mixed) m = wasm_f32x4_const_splat(0);
    for (std::size_t at = 0; at < positions; ++at) {
      const v128_t weight = wasm_f32x4_splat(scores[at]);
      const float* row = values.data() + at * width + c;
      for (int l = 0; l < L; ++l) mixed[l] = multiply_add(weight, wasm_v128_load(row + 4 * l), mixed[l]);
    }
    for (int l = 0; l < L; ++l)
      wasm_v128_store(out.data() + c + 4 * l, wasm_f32x4_mul(mixed[l], wasm_f32x4_splat(inverse)));
    c += 4 * L;
  };
  while (c + 32 <= width) mix(std::integral_constant<int, 8>{});
  while (c + 4 <= width) mix(std::integral_constant<int, 1>{});
  for (; c < width; ++c) {
    float mixed = 0;
    for (std::size_t at = 0; at < positions; ++at) mixed += scores[at] * values[at * width + c];
    out[c] = mixed * inverse;
  }
}

}  // namespace

extern const KernelSet kWasmSimd128Kernels;
#ifdef __wasm_relaxed_simd__
const KernelSet kWasmSimd128Kernels{"wasm_relaxed", multiply, layer_norm, gelu, attend};
#else
const KernelSet kWasmSimd128Kernels{"wasm_simd128", multiply, layer_norm, gelu, attend};
#endif

}  // namespace midinf
