// The kernels with 256-bit registers: AVX2, FMA and F16C. Compiled with those flags, so it includes nothing that
// defines inline functions which the rest of the program shares. What each function means: plain/plain.cc.
//
// Every output is the sum of eight lanes, each of which runs over the columns in order, so a matrix-vector product and
// a matrix-matrix product give the same bits. Weights are expanded to float32 exactly: scale and int8 of Q8_0 have 11
// and 8 significant bits, their product fits the 24 of a float.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/kernels.h"

namespace midinf {
namespace {

constexpr int kMostColumns = 8'192;  // model loading refuses wider matrices
constexpr int kGroup = 4;            // rows computed together, twice as many for one token: chains of additions that
                                     // hide each other's latency
constexpr int kTokenTile = 48;       // tokens whose inputs stay in the second-level cache while all rows pass by

inline float sum(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_movehdup_ps(s));
  return _mm_cvtss_f32(s);
}

inline float f16(const std::byte* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, 2);
  return _cvtsh_ss(bits);
}

// Rows of stored weights: 32 columns at a time as four registers, 8 at a time, or one (both only behind the last 32).
struct F32Row {
  const std::byte* row;
  void chunk(int i, __m256 (&w)[4]) const {
    for (int j = 0; j < 4; ++j) w[j] = at(32 * i + 8 * j);
  }
  [[nodiscard]] __m256 at(int c) const { return _mm256_loadu_ps(reinterpret_cast<const float*>(row) + c); }
  [[nodiscard]] float one(int c) const { return reinterpret_cast<const float*>(row)[c]; }
};
struct F16Row {
  const std::byte* row;
  void chunk(int i, __m256 (&w)[4]) const {
    for (int j = 0; j < 4; ++j) w[j] = at(32 * i + 8 * j);
  }
  [[nodiscard]] __m256 at(int c) const {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 2 * c)));
  }
  [[nodiscard]] float one(int c) const { return f16(row + 2 * c); }
};
struct Bf16Row {
  const std::byte* row;
  void chunk(int i, __m256 (&w)[4]) const {
    for (int j = 0; j < 4; ++j) w[j] = at(32 * i + 8 * j);
  }
  [[nodiscard]] __m256 at(int c) const {
    const __m128i upper = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 2 * c));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(upper), 16));
  }
  [[nodiscard]] float one(int c) const {
    std::uint32_t bits = 0;
    std::memcpy(reinterpret_cast<std::byte*>(&bits) + 2, row + 2 * c, 2);
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
  }
};
struct Q8Row {
  const std::byte* row;
  void chunk(int i, __m256 (&w)[4]) const {
    const std::byte* block = row + i * kQ8BlockBytes;
    const __m256 scale = _mm256_set1_ps(f16(block));
    for (int j = 0; j < 4; ++j) {
      const __m128i q = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(block + 2 + 8 * j));
      w[j] = _mm256_mul_ps(scale, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q)));
    }
  }
  // Q8_0 rows are whole blocks: nothing stands behind the last 32.
  [[nodiscard]] __m256 at(int) const { return _mm256_setzero_ps(); }
  [[nodiscard]] float one(int) const { return 0; }
};

// y = W · x for R rows and one token, straight from the stored weights.
template <class Row, int R>
void rows_times_vector(const MatrixView& w, int first, const float* x, float* y) {
  Row rows[R];
  __m256 acc[R];
  for (int r = 0; r < R; ++r) {
    rows[r] = {w.row(first + r)};
    acc[r] = _mm256_setzero_ps();
  }
  const int chunks = w.columns / 32, whole = w.columns / 8 * 8;
  const std::size_t ahead = R * row_bytes(w.type, w.columns), chunk_bytes = row_bytes(w.type, 32);
  for (int i = 0; i < chunks; ++i) {
    __m256 xs[4];
    for (int j = 0; j < 4; ++j) xs[j] = _mm256_loadu_ps(x + 32 * i + 8 * j);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      // The rows that come after these: eight short rows side by side are no stream that the processor would recognise.
      _mm_prefetch(reinterpret_cast<const char*>(rows[r].row + ahead + static_cast<std::size_t>(i) * chunk_bytes),
                   _MM_HINT_T0);
      __m256 ws[4];
      rows[r].chunk(i, ws);
      for (int j = 0; j < 4; ++j) acc[r] = _mm256_fmadd_ps(ws[j], xs[j], acc[r]);
    }
  }
  for (int c = 32 * chunks; c < whole; c += 8)
    for (int r = 0; r < R; ++r) acc[r] = _mm256_fmadd_ps(rows[r].at(c), _mm256_loadu_ps(x + c), acc[r]);
  for (int r = 0; r < R; ++r) {
    y[r] = sum(acc[r]);
    for (int c = whole; c < w.columns; ++c) y[r] += rows[r].one(c) * x[c];
  }
}

// The same for R expanded rows and T tokens.
template <int R, int T>
void tile(const float* w, int columns, const float* x, float* y, int y_stride) {
  __m256 acc[R][T];
  for (int r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t) acc[r][t] = _mm256_setzero_ps();
  const int whole = columns / 8 * 8;
  for (int c = 0; c < whole; c += 8) {
    __m256 xs[T];
    for (int t = 0; t < T; ++t) xs[t] = _mm256_loadu_ps(x + static_cast<std::ptrdiff_t>(t) * columns + c);
    for (int r = 0; r < R; ++r) {
      const __m256 ws = _mm256_loadu_ps(w + static_cast<std::ptrdiff_t>(r) * columns + c);
      for (int t = 0; t < T; ++t) acc[r][t] = _mm256_fmadd_ps(ws, xs[t], acc[r][t]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t) {
      float& out = y[static_cast<std::ptrdiff_t>(t) * y_stride + r];
      out = sum(acc[r][t]);
      for (int c = whole; c < columns; ++c)
        out += w[static_cast<std::ptrdiff_t>(r) * columns + c] * x[static_cast<std::ptrdiff_t>(t) * columns + c];
    }
}

template <int R>
void tiles(const float* w, int columns, const float* x, int tokens, float* y, int y_stride) {
  int t = 0;
  const auto from = [&](int token) { return x + static_cast<std::ptrdiff_t>(token) * columns; };
  const auto to = [&](int token) { return y + static_cast<std::ptrdiff_t>(token) * y_stride; };
  for (; t + 3 <= tokens; t += 3) tile<R, 3>(w, columns, from(t), to(t), y_stride);
  for (; t < tokens; ++t) tile<R, 1>(w, columns, from(t), to(t), y_stride);
}

template <class Row>
void expand(const Row& row, int columns, float* out) {
  const int chunks = columns / 32, whole = columns / 8 * 8;
  for (int i = 0; i < chunks; ++i) {
    __m256 w[4];
    row.chunk(i, w);
    for (int j = 0; j < 4; ++j) _mm256_storeu_ps(out + 32 * i + 8 * j, w[j]);
  }
  for (int c = 32 * chunks; c < whole; c += 8) _mm256_storeu_ps(out + c, row.at(c));
  for (int c = whole; c < columns; ++c) out[c] = row.one(c);
}

template <class Row, int R>
void rows_times_tokens(const MatrixView& w, int first, const float* x, int tokens, float* y, int y_stride) {
  alignas(64) static thread_local float expanded[kGroup * kMostColumns];
  for (int r = 0; r < R; ++r)
    expand(Row{w.row(first + r)}, w.columns, expanded + static_cast<std::ptrdiff_t>(r) * w.columns);
  tiles<R>(expanded, w.columns, x, tokens, y, y_stride);
}

template <class Row>
void multiply_as(const MatrixView& w, RowBlock rows, const float* x, int tokens, float* y, int y_stride) {
  for (int t = 0; t < tokens; t += kTokenTile) {
    const int now = tokens - t < kTokenTile ? tokens - t : kTokenTile;
    const float* from = x + static_cast<std::ptrdiff_t>(t) * w.columns;
    float* to = y + static_cast<std::ptrdiff_t>(t) * y_stride - rows.begin;
    int r = rows.begin;
    if (now == 1) {
      for (; r + 2 * kGroup <= rows.end; r += 2 * kGroup) rows_times_vector<Row, 2 * kGroup>(w, r, from, to + r);
      for (; r < rows.end; ++r) rows_times_vector<Row, 1>(w, r, from, to + r);
    } else {
      for (; r + kGroup <= rows.end; r += kGroup) rows_times_tokens<Row, kGroup>(w, r, from, now, to + r, y_stride);
      for (; r < rows.end; ++r) rows_times_tokens<Row, 1>(w, r, from, now, to + r, y_stride);
    }
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
      multiply_as<Q8Row>(w, rows, x.data(), tokens, y, y_stride);
      break;
  }
  if (bias.empty()) return;
  for (int t = 0; t < tokens; ++t)
    for (int r = rows.begin; r < rows.end; ++r)
      y[static_cast<std::ptrdiff_t>(t) * y_stride + (r - rows.begin)] += bias.data()[r];
}

void layer_norm(std::span<const float> x, std::span<const float> weight, std::span<const float> bias, float epsilon,
                std::span<float> y) {
  const int n = static_cast<int>(x.size());
  const int whole = n / 8 * 8;
  __m256 sums = _mm256_setzero_ps();
  for (int i = 0; i < whole; i += 8) sums = _mm256_add_ps(sums, _mm256_loadu_ps(x.data() + i));
  float mean = sum(sums);
  for (int i = whole; i < n; ++i) mean += x.data()[i];
  mean /= static_cast<float>(n);
  __m256 squares = _mm256_setzero_ps();
  for (int i = 0; i < whole; i += 8) {
    const __m256 d = _mm256_sub_ps(_mm256_loadu_ps(x.data() + i), _mm256_set1_ps(mean));
    squares = _mm256_fmadd_ps(d, d, squares);
  }
  float variance = sum(squares);
  for (int i = whole; i < n; ++i) variance += (x.data()[i] - mean) * (x.data()[i] - mean);
  variance /= static_cast<float>(n);
  const float scale = 1.0F / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(variance + epsilon)));
  for (int i = 0; i < whole; i += 8) {
    const __m256 d = _mm256_sub_ps(_mm256_loadu_ps(x.data() + i), _mm256_set1_ps(mean));
    _mm256_storeu_ps(y.data() + i,
                     _mm256_fmadd_ps(_mm256_mul_ps(d, _mm256_set1_ps(scale)), _mm256_loadu_ps(weight.data() + i),
                                     _mm256_loadu_ps(bias.data() + i)));
  }
  for (int i = whole; i < n; ++i) y.data()[i] = (x.data()[i] - mean) * scale * weight.data()[i] + bias.data()[i];
}

// e^x = 2^n · e^r with x = n·ln 2 + r, |r| ≤ ln 2 / 2, and e^r by its Taylor series: relative error below 2·10^-7.
inline __m256 exp8(__m256 x) {
  x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-87.0F)), _mm256_set1_ps(88.0F));
  const __m256 n =
      _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504F)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // ln 2 in two parts, the first short enough for n times it to be exact.
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375F), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4F), r);
  __m256 p = _mm256_set1_ps(1.0F / 5040);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 720));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 120));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 24));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 6));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F));
  const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(p, _mm256_castsi256_ps(exponent));
}

// Fewer than eight floats as a register, the rest filled with `fill`, and back.
struct Tail {
  alignas(32) float values[8];
  Tail(const float* from, int count, float fill) {
    for (int i = 0; i < 8; ++i) values[i] = i < count ? from[i] : fill;
  }
  [[nodiscard]] __m256 load() const { return _mm256_load_ps(values); }
  void store(__m256 v, float* to, int count) {
    _mm256_store_ps(values, v);
    std::memcpy(to, values, static_cast<std::size_t>(count) * sizeof(float));
  }
};

// 0.5·x·(1 + tanh u) = x / (1 + e^(-2u))
inline __m256 gelu8(__m256 x) {
  const __m256 cube = _mm256_mul_ps(_mm256_mul_ps(x, x), x);
  const __m256 u = _mm256_mul_ps(_mm256_set1_ps(-1.5957691216F), _mm256_fmadd_ps(cube, _mm256_set1_ps(0.044715F), x));
  return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0F), exp8(u)));
}

void gelu(std::span<float> x) {
  const int n = static_cast<int>(x.size());
  int i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(x.data() + i, gelu8(_mm256_loadu_ps(x.data() + i)));
  if (i == n) return;
  Tail tail(x.data() + i, n - i, 0);
  tail.store(gelu8(tail.load()), x.data() + i, n - i);
}

// scores = e^(scores - highest); returns their sum.
float exponentials(float* scores, int n, float highest) {
  __m256 total = _mm256_setzero_ps();
  int p = 0;
  for (; p + 8 <= n; p += 8) {
    const __m256 e = exp8(_mm256_sub_ps(_mm256_loadu_ps(scores + p), _mm256_set1_ps(highest)));
    _mm256_storeu_ps(scores + p, e);
    total = _mm256_add_ps(total, e);
  }
  float rest = 0;
  if (p < n) {
    Tail tail(scores + p, n - p, highest);
    tail.store(exp8(_mm256_sub_ps(tail.load(), _mm256_set1_ps(highest))), scores + p, n - p);
    for (int i = p; i < n; ++i) rest += scores[i];
  }
  return sum(total) + rest;
}

float dot(const float* a, const float* b, int n) {
  __m256 acc = _mm256_setzero_ps();
  int i = 0;
  for (; i + 8 <= n; i += 8) acc = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), acc);
  float total = sum(acc);
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

// Weighted sum of `positions` value rows for the 8·L columns at `values`.
template <int L>
void mix(const float* values, int head_width, const float* weights, int positions, float scale, float* out) {
  __m256 acc[L];
  for (int l = 0; l < L; ++l) acc[l] = _mm256_setzero_ps();
  for (int p = 0; p < positions; ++p) {
    const __m256 weight = _mm256_set1_ps(weights[p]);
    const float* row = values + static_cast<std::ptrdiff_t>(p) * head_width;
    for (int l = 0; l < L; ++l) acc[l] = _mm256_fmadd_ps(weight, _mm256_loadu_ps(row + 8 * l), acc[l]);
  }
  for (int l = 0; l < L; ++l) _mm256_storeu_ps(out + 8 * l, _mm256_mul_ps(acc[l], _mm256_set1_ps(scale)));
}

void attend(std::span<const float> q, std::span<const float> keys, std::span<const float> values,
            std::span<float> scores, std::span<float> out) {
  const int head_width = static_cast<int>(q.size());
  const int positions = static_cast<int>(scores.size());
  const float scale = 1.0F / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(static_cast<float>(head_width))));
  float highest = -3.4e38F;
  for (int p = 0; p < positions; ++p) {
    const float score = dot(q.data(), keys.data() + static_cast<std::ptrdiff_t>(p) * head_width, head_width) * scale;
    scores.data()[p] = score;
    highest = score > highest ? score : highest;
  }
  const float inverse_total = 1.0F / exponentials(scores.data(), positions, highest);
  int c = 0;
  for (; c + 64 <= head_width; c += 64)
    mix<8>(values.data() + c, head_width, scores.data(), positions, inverse_total, out.data() + c);
  for (; c + 8 <= head_width; c += 8)
    mix<1>(values.data() + c, head_width, scores.data(), positions, inverse_total, out.data() + c);
  for (; c < head_width; ++c) {
    float total = 0;
    for (int p = 0; p < positions; ++p)
      total += scores.data()[p] * values.data()[static_cast<std::ptrdiff_t>(p) * head_width + c];
    out.data()[c] = total * inverse_total;
  }
}

}  // namespace

extern const KernelSet kAvx2Kernels;
const KernelSet kAvx2Kernels{"avx2", multiply, layer_norm, gelu, attend};

}  // namespace midinf
