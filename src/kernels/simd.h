// The kernels for any instruction set with vector registers, written once: SimdKernels<Isa> takes some thirty small
// functions from an Isa and gives a KernelSet. What each function means: plain/plain.cc. How to add a set: docs/howto.
//
// An Isa's file is compiled with that set's flags, so nothing here may become a function that the rest of the program
// shares: an Isa lives in an unnamed namespace, which makes all of this its file's own.
//
// A product with quantised weights: the 32 products of a block are summed as integers, exactly; the blocks are added in
// order with one rounding each. Every row has its own lane, and what is added up across lanes goes through sixteen of
// them, folded by halves: no order of additions depends on the register's width. All sets with a fused multiply-add
// agree bit for bit (relaxed WebAssembly where the browser fuses), so a seed gives the same music on all of them.
#pragma once

#include <cstring>

#include "kernels/kernels.h"

namespace midinf {

/* An Isa has
     kLanes                                   floats of a register
     kTileRegisters, kTileTokens              of the tile of a product with many tokens: as fit into the registers
     kDotRegisters                            of a product with quantised weights: Dots in the works at once, a token
     kMixTokens                               whose sums of values fit into the registers together
     kOneMore                                 KernelSet::one_more
     Float, Dot                               kLanes floats; kLanes sums of products, not yet added up
     Bytes, Four                              4 · kLanes weights; four activations for every lane
     load store splat                         Float from and to memory, from one number
     add sub mul div max min fma round        round: to nearest, ties to even; fma(a, b, c) = a · b + c
     sum largest                              across the lanes; sum: the upper half onto the lower, and so on
     pow2                                     2^n for whole n
     load_f16 load_bf16                       kLanes numbers as Float
     load_i8                                  2 · kLanes numbers as two Floats
     store_i8                                 whole numbers -127..127 as int8
     load_bytes load_halves splat_four        from memory; load_halves: both halves of 4 · kLanes bytes, each 0..15
     begin dot end                            a Dot that comes to this sum; plus the four products of each lane; its
                                              value
     Small, begin_small dot_small end_small   the same for weights 0..15, of which 32 are added up in a lane
     offset                                   what load_bytes adds to the weights                                  */
template <class Isa>
struct SimdKernels {
  using Float = typename Isa::Float;
  using Dot = typename Isa::Dot;
  static constexpr int kLanes = Isa::kLanes;
  static constexpr int kRegisters = kPanelRows / kLanes;  // of a panel's rows
  static_assert(kRegisters % Isa::kTileRegisters == 0 && kQuantBlock % (2 * kLanes) == 0);

  // ---- products

  // Of a panel's rows, whose sums for so many tokens are in the works at once.
  static constexpr int registers_together(int tokens) {
    if (tokens == 1) return kRegisters < Isa::kDotRegisters ? kRegisters : Isa::kDotRegisters;
    int registers = Isa::kTileRegisters;
    while (registers < kRegisters && 2 * registers * tokens <= Isa::kTileRegisters * Isa::kTileTokens) registers *= 2;
    return registers;
  }

  static constexpr int kCacheLine = 64;
  static constexpr std::ptrdiff_t kPage = 4096;
  static constexpr int kNotReadAhead = 512;  // of a block by processors that need no page (decision 015)

  template <int kBytes>
  static void prefetch(const std::byte* from) {
#pragma GCC unroll 32
    for (int i = 0; i < kBytes; i += kCacheLine) __builtin_prefetch(from + i);
  }

  template <DType kType>
  static auto begin(std::int32_t sum) {
    if constexpr (kType == DType::kQ8_0)
      return Isa::begin(sum);
    else
      return Isa::begin_small(sum);
  }
  template <DType kType>
  static Float end(const auto& sum) {
    if constexpr (kType == DType::kQ8_0)
      return Isa::end(sum);
    else
      return Isa::end_small(sum);
  }

  // All registers of a panel's rows, T tokens: block by block, so that memory is read in order and a block stays in the
  // nearest cache while one part of its rows after the other is multiplied.
  template <DType kType, int T>
  static void quantized_tile(const std::byte* panel, int columns, const ActivationView& x, const float* bias, float* y,
                             int y_stride) {
    constexpr int R = kRegisters, kTogether = registers_together(T);
    static_assert(R % kTogether == 0);
    constexpr int kBytes = kType == DType::kQ8_0 ? kQuantBlock : kQuantBlock / 2;  // of a row's block
    const int offset = kType == DType::kQ8_0 ? Isa::offset() : 8;                  // what weights have too much
    constexpr std::ptrdiff_t kBlockBytes = (2 + kBytes) * kPanelRows;
    const int blocks = columns / kQuantBlock, x_blocks = x.stride / kQuantBlock;
    Float total[R][T];
    for (int r = 0; r < R; ++r)
      for (int t = 0; t < T; ++t) total[r][t] = Isa::splat(0);
    const std::byte *scales = panel, *weights = panel + 2 * kPanelRows;
    for (int b = 0; b < blocks; ++b, scales += kBlockBytes, weights += kBlockBytes) {
      const std::int8_t* xs = x.quantized + b * kQuantBlock;
      if constexpr (T < Isa::kTileTokens) {  // few tokens wait for memory; many share what was read once
        if (kPageAhead)
          prefetch<kBlockBytes>(scales + kPage);
        else
          prefetch<kNotReadAhead>(scales);
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; r += kTogether) {
        decltype(begin<kType>(0)) dots[kTogether][T];
        for (int t = 0; t < T; ++t)
          for (int i = 0; i < kTogether; ++i) dots[i][t] = begin<kType>(-offset * x.sums[t * x_blocks + b]);
#pragma GCC unroll 8
        for (int c = 0; c < kBytes; c += 4) {
          typename Isa::Four low[T], high[T];
          for (int t = 0; t < T; ++t) {
            low[t] = Isa::splat_four(xs + t * x.stride + c);
            if constexpr (kType == DType::kQ4_0) high[t] = Isa::splat_four(xs + t * x.stride + kQuantBlock / 2 + c);
          }
          for (int i = 0; i < kTogether; ++i) {
            const std::byte* at = weights + static_cast<std::ptrdiff_t>(c) * kPanelRows + (r + i) * kLanes * 4;
            if constexpr (kType == DType::kQ8_0) {
              const auto w = Isa::load_bytes(at);
              for (int t = 0; t < T; ++t) dots[i][t] = Isa::dot(dots[i][t], w, low[t]);
            } else {
              const auto w = Isa::load_halves(at);
              for (int t = 0; t < T; ++t) dots[i][t] = Isa::dot_small(dots[i][t], w.low, low[t]);
              for (int t = 0; t < T; ++t) dots[i][t] = Isa::dot_small(dots[i][t], w.high, high[t]);
            }
          }
        }
        for (int i = 0; i < kTogether; ++i) {
          const Float scale = Isa::load_f16(scales + static_cast<std::ptrdiff_t>(r + i) * kLanes * 2);
          for (int t = 0; t < T; ++t)
            total[r + i][t] = Isa::fma(end<kType>(dots[i][t]), Isa::mul(scale, Isa::splat(x.scales[t * x_blocks + b])),
                                       total[r + i][t]);
        }
      }
    }
    put<R, T>(total, 0, bias, y, y_stride);
  }

  // Registers first … first + R - 1 of a panel's rows, T tokens.
  template <DType kType, int R, int T>
  static void float_tile(const std::byte* panel, int columns, int first, const ActivationView& x, const float* bias,
                         float* y, int y_stride) {
    Float total[R][T];
    for (int r = 0; r < R; ++r)
      for (int t = 0; t < T; ++t) total[r][t] = Isa::splat(0);
    constexpr std::ptrdiff_t kSize = kType == DType::kF32 ? 4 : 2;
    const std::byte* column = panel + first * kLanes * kSize;
    for (int c = 0; c < columns; ++c, column += kPanelRows * kSize) {
      Float xs[T];
      for (int t = 0; t < T; ++t) xs[t] = Isa::splat(x.values[static_cast<std::ptrdiff_t>(t) * x.stride + c]);
      for (int r = 0; r < R; ++r) {
        const Float w = numbers<kType>(column + r * kLanes * kSize);
        for (int t = 0; t < T; ++t) total[r][t] = Isa::fma(w, xs[t], total[r][t]);
      }
    }
    put<R, T>(total, first, bias, y, y_stride);
  }

  template <DType kType>
  static Float numbers(const std::byte* at) {
    if constexpr (kType == DType::kF16) return Isa::load_f16(at);
    if constexpr (kType == DType::kBF16) return Isa::load_bf16(at);
    if constexpr (kType == DType::kF32) return Isa::load(reinterpret_cast<const float*>(at));
  }

  template <int R, int T>
  static void put(const Float (&total)[R][T], int first, const float* bias, float* y, int y_stride) {
    for (int r = 0; r < R; ++r)
      for (int t = 0; t < T; ++t) {
        const int at = (first + r) * kLanes;
        const Float sum = bias == nullptr ? total[r][t] : Isa::add(total[r][t], Isa::load(bias + at));
        Isa::store(y + static_cast<std::ptrdiff_t>(t) * y_stride + at, sum);
      }
  }

  template <DType kType, int T>
  static void tile(const std::byte* panel, int columns, const ActivationView& x, const float* bias, float* y,
                   int y_stride) {
    if constexpr (is_quantized(kType)) {
      quantized_tile<kType, T>(panel, columns, x, bias, y, y_stride);
    } else {
      constexpr int R = T == 1 ? kRegisters : registers_together(T);
      for (int first = 0; first < kRegisters; first += R)
        float_tile<kType, R, T>(panel, columns, first, x, bias, y, y_stride);
    }
  }

  template <DType kType>
  static void multiply_as(const PanelMatrix& w, IndexRange panels, const float* bias, const ActivationView& x,
                          int tokens, float* y, int y_stride) {
    constexpr int kTogether = Isa::kTileTokens;
    for (int p = panels.begin; p < panels.end; ++p, y += kPanelRows) {
      const std::byte* panel = w.panel(p);
      const float* b = bias == nullptr ? nullptr : bias + static_cast<std::ptrdiff_t>(p) * kPanelRows;
      int t = 0;
      for (; t + kTogether <= tokens; t += kTogether)
        tile<kType, kTogether>(panel, w.columns, x.token(t), b, y + static_cast<std::ptrdiff_t>(t) * y_stride,
                               y_stride);
      rest<kType, kTogether - 1>(tokens - t, panel, w.columns, x.token(t), b,
                                 y + static_cast<std::ptrdiff_t>(t) * y_stride, y_stride);
    }
  }

  // 0 … T tokens.
  template <DType kType, int T>
  static void rest(int tokens, const std::byte* panel, int columns, const ActivationView& x, const float* bias,
                   float* y, int y_stride) {
    if (tokens == T)
      tile<kType, T>(panel, columns, x, bias, y, y_stride);
    else if constexpr (T > 1)
      rest<kType, T - 1>(tokens, panel, columns, x, bias, y, y_stride);
  }

  static void multiply(const PanelMatrix& w, IndexRange panels, const float* bias, const ActivationView& x, int tokens,
                       float* y, int y_stride) {
    switch (w.type) {
      case DType::kF32:
        return multiply_as<DType::kF32>(w, panels, bias, x, tokens, y, y_stride);
      case DType::kF16:
        return multiply_as<DType::kF16>(w, panels, bias, x, tokens, y, y_stride);
      case DType::kBF16:
        return multiply_as<DType::kBF16>(w, panels, bias, x, tokens, y, y_stride);
      case DType::kQ8_0:
        return multiply_as<DType::kQ8_0>(w, panels, bias, x, tokens, y, y_stride);
      case DType::kQ4_0:
        return multiply_as<DType::kQ4_0>(w, panels, bias, x, tokens, y, y_stride);
    }
  }

  static void quantize(const float* x, int count, int most, std::int8_t* q, float* scales, std::int32_t* sums) {
    const auto limit = static_cast<float>(most);
    for (int b = 0; b < count / kQuantBlock; ++b, x += kQuantBlock, q += kQuantBlock) {
      Float magnitudes = Isa::splat(0), nothing = magnitudes;
      for (int i = 0; i < kQuantBlock; i += kLanes) {
        const Float v = Isa::load(x + i);
        magnitudes = Isa::max(magnitudes, Isa::max(v, Isa::sub(Isa::splat(0), v)));
        nothing = Isa::fma(v, Isa::splat(0), nothing);
      }
      const float largest = Isa::largest(magnitudes);
      const Float inverse = Isa::splat(largest > 0 ? limit / largest : 0.0F);
      Float sum = Isa::splat(0);
      for (int i = 0; i < kQuantBlock; i += kLanes) {
        const Float rounded = Isa::round(Isa::mul(Isa::load(x + i), inverse));
        sum = Isa::add(sum, rounded);  // exact: small whole numbers
        Isa::store_i8(q + i, rounded);
      }
      scales[b] = largest / limit + Isa::sum(nothing);
      const float whole = Isa::sum(sum);
      sums[b] = whole == whole ? static_cast<std::int32_t>(whole) : 0;  // the scale tells that it is no number
    }
  }

  // ---- the rest

  // Fewer numbers than a register has lanes, the others being `fill`; and back.
  static Float load_part(const float* from, int count, float fill) {
    float values[kLanes];
    for (int i = 0; i < kLanes; ++i) values[i] = i < count ? from[i] : fill;
    return Isa::load(values);
  }
  static void store_part(Float v, float* to, int count) {
    float values[kLanes];
    Isa::store(values, v);
    std::memcpy(to, values, static_cast<std::size_t>(count) * sizeof(float));
  }
  // x[i] = f(x[i]); f sees `fill` behind the last.
  template <class Function>
  static void map(float* x, int n, float fill, Function f) {
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) Isa::store(x + i, f(Isa::load(x + i)));
    if (i < n) store_part(f(load_part(x + i, n - i, fill)), x + i, n - i);
  }

  // Sixteen sums side by side, and what they come to.
  static constexpr int kSums = 16;
  struct Sums {
    Float of[kSums / kLanes];
    Sums() {
      for (Float& part : of) part = Isa::splat(0);
    }
    float total() {
      for (int n = kSums / kLanes / 2; n > 0; n /= 2)
        for (int i = 0; i < n; ++i) of[i] = Isa::add(of[i], of[i + n]);
      return Isa::sum(of[0]);
    }
  };

  static void layer_norm(std::span<const float> x, std::span<const float> weight, std::span<const float> bias,
                         float epsilon, std::span<float> y) {
    const int n = static_cast<int>(x.size());
    const int whole = n / kSums * kSums;
    const float* from = x.data();
    Sums sums, squares;
    for (int i = 0; i < whole; i += kSums)
      for (int j = 0; j < kSums / kLanes; ++j) sums.of[j] = Isa::add(sums.of[j], Isa::load(from + i + j * kLanes));
    float mean = sums.total();
    for (int i = whole; i < n; ++i) mean += from[i];
    mean /= static_cast<float>(n);
    for (int i = 0; i < whole; i += kSums)
      for (int j = 0; j < kSums / kLanes; ++j) {
        const Float d = Isa::sub(Isa::load(from + i + j * kLanes), Isa::splat(mean));
        squares.of[j] = Isa::fma(d, d, squares.of[j]);
      }
    float variance = squares.total();
    for (int i = whole; i < n; ++i) variance += (from[i] - mean) * (from[i] - mean);
    const float scale = 1.0F / __builtin_sqrtf(variance / static_cast<float>(n) + epsilon);
    for (int i = 0; i < whole; i += kLanes) {
      const Float d = Isa::mul(Isa::sub(Isa::load(from + i), Isa::splat(mean)), Isa::splat(scale));
      Isa::store(y.data() + i, Isa::fma(d, Isa::load(weight.data() + i), Isa::load(bias.data() + i)));
    }
    for (int i = whole; i < n; ++i) y.data()[i] = (from[i] - mean) * scale * weight.data()[i] + bias.data()[i];
  }

  // e^x = 2^n · e^r with x = n · ln 2 + r, |r| ≤ ln 2 / 2, and e^r by its Taylor series: relative error below 2·10^-7.
  static Float exp(Float x) {
    x = Isa::min(Isa::max(x, Isa::splat(-87.0F)), Isa::splat(88.0F));
    const Float n = Isa::round(Isa::mul(x, Isa::splat(1.44269504F)));
    // ln 2 in two parts, the first short enough for n times it to be exact.
    const Float r = Isa::fma(n, Isa::splat(2.12194440e-4F), Isa::fma(n, Isa::splat(-0.693359375F), x));
    Float p = Isa::splat(1.0F / 5040);
    p = Isa::fma(p, r, Isa::splat(1.0F / 720));
    p = Isa::fma(p, r, Isa::splat(1.0F / 120));
    p = Isa::fma(p, r, Isa::splat(1.0F / 24));
    p = Isa::fma(p, r, Isa::splat(1.0F / 6));
    p = Isa::fma(p, r, Isa::splat(0.5F));
    p = Isa::fma(p, r, Isa::splat(1.0F));
    p = Isa::fma(p, r, Isa::splat(1.0F));
    return Isa::mul(p, Isa::pow2(n));
  }

  static void gelu(std::span<float> x) {
    // 0.5 · x · (1 + tanh u) = x / (1 + e^(-2u))
    map(x.data(), static_cast<int>(x.size()), 0, [](Float v) {
      const Float cube = Isa::mul(Isa::mul(v, v), v);
      const Float u = Isa::mul(Isa::splat(-1.5957691216F), Isa::fma(cube, Isa::splat(0.044715F), v));
      return Isa::div(v, Isa::add(Isa::splat(1.0F), exp(u)));
    });
  }

  static float softmax(std::span<float> scores, float scale) {
    const int n = static_cast<int>(scores.size());
    float* s = scores.data();
    float highest = s[0];
    int i = 0;
    if (n >= kLanes) {
      Float most = Isa::load(s);
      for (; i + kLanes <= n; i += kLanes) most = Isa::max(most, Isa::load(s + i));
      highest = Isa::largest(most);
    }
    for (; i < n; ++i) highest = s[i] > highest ? s[i] : highest;
    const auto shifted = [=](Float v) { return exp(Isa::mul(Isa::splat(scale), Isa::sub(v, Isa::splat(highest)))); };
    Sums sums;
    const int whole = n / kSums * kSums;
    for (i = 0; i < whole; i += kSums)
      for (int j = 0; j < kSums / kLanes; ++j) {
        const Float e = shifted(Isa::load(s + i + j * kLanes));
        Isa::store(s + i + j * kLanes, e);
        sums.of[j] = Isa::add(sums.of[j], e);
      }
    map(s + whole, n - whole, highest, shifted);
    float total = sums.total();
    for (i = whole; i < n; ++i) total += s[i];
    return 1.0F / total;
  }

  // B blocks of quantised columns from `c` on, for T tokens: what is read and widened once serves all of them.
  template <int B, int T>
  static void mix_blocks(const ValueView& v, const MixWeights& w, int t0, int c, float* out) {
    constexpr int kParts = kQuantBlock / kLanes;
    Float total[T][B][kParts];
    for (int t = 0; t < T; ++t)
      for (int b = 0; b < B; ++b)
        for (int i = 0; i < kParts; ++i) total[t][b][i] = Isa::splat(0);
    const std::int8_t* numbers = v.quantized + c;
    const float* scales = v.scales + c / kQuantBlock;
    const float* weights = w.weights + static_cast<std::ptrdiff_t>(t0) * w.stride;
    // What position p adds to the tokens from `first` on.
    const auto add = [&](int p, int first) __attribute__((always_inline)) {
      for (int b = 0; b < B; ++b) {
        Float weight[T];
        for (int t = 0; t < T; ++t)
          if (t >= first) weight[t] = Isa::splat(weights[static_cast<std::ptrdiff_t>(t) * w.stride + p] * scales[b]);
        for (int i = 0; i < kParts; i += 2) {
          Float low, high;
          Isa::load_i8(numbers + b * kQuantBlock + i * kLanes, low, high);
          for (int t = 0; t < T; ++t)
            if (t >= first) {
              total[t][b][i] = Isa::fma(weight[t], low, total[t][b][i]);
              total[t][b][i + 1] = Isa::fma(weight[t], high, total[t][b][i + 1]);
            }
        }
      }
      numbers += v.stride, scales += v.stride / kQuantBlock;
    };
    const int seen = w.seen + t0;
    for (int p = 0; p < seen; ++p) add(p, 0);
    for (int t = 1; t < T; ++t) add(seen + t - 1, t);
    for (int t = 0; t < T; ++t)
      for (int b = 0; b < B; ++b)
        for (int i = 0; i < kParts; ++i)
          Isa::store(out + static_cast<std::ptrdiff_t>(t) * w.out_stride + c + b * kQuantBlock + i * kLanes,
                     Isa::mul(total[t][b][i], Isa::splat(w.factors[t0 + t])));
  }
  // The whole width for T tokens, and for as many times T as there are.
  template <int T>
  static void mix_tokens(const ValueView& values, const MixWeights& w, int t, int columns, float* out) {
    constexpr int kBlocks = kLanes >= 16 || (kLanes >= 8 && T == 1) ? 2 : 1;  // whose sums fit into the registers
    for (; t + T <= w.tokens; t += T) {
      float* to = out + static_cast<std::ptrdiff_t>(t) * w.out_stride;
      int c = 0;
      for (; c + kBlocks * kQuantBlock <= columns; c += kBlocks * kQuantBlock)
        mix_blocks<kBlocks, T>(values, w, t, c, to);
      for (; c < columns; c += kQuantBlock) mix_blocks<1, T>(values, w, t, c, to);
    }
    if constexpr (T > 1) mix_tokens<T - 1>(values, w, t, columns, out);
  }

  // R registers of float32 columns from `c` on.
  template <int R>
  static void mix_floats(const ValueView& v, std::span<const float> weights, float factor, int c, float* out) {
    Float total[R];
    for (int r = 0; r < R; ++r) total[r] = Isa::splat(0);
    const float* numbers = v.values + c;
    for (std::size_t p = 0; p < weights.size(); ++p, numbers += v.stride)
      for (int r = 0; r < R; ++r)
        total[r] = Isa::fma(Isa::splat(weights.data()[p]), Isa::load(numbers + r * kLanes), total[r]);
    for (int r = 0; r < R; ++r) Isa::store(out + c + r * kLanes, Isa::mul(total[r], Isa::splat(factor)));
  }

  static void mix(const ValueView& values, const MixWeights& w, int columns, float* out) {
    if (values.quantized != nullptr) return mix_tokens<Isa::kMixTokens>(values, w, 0, columns, out);
    constexpr int kMost = 64 / kLanes < 8 ? 64 / kLanes : 8;
    for (int t = 0; t < w.tokens; ++t, out += w.out_stride) {
      const std::span weights(w.weights + static_cast<std::ptrdiff_t>(t) * w.stride,
                              static_cast<std::size_t>(w.seen + t));
      int c = 0;
      for (; c + kMost * kLanes <= columns; c += kMost * kLanes)
        mix_floats<kMost>(values, weights, w.factors[t], c, out);
      for (; c + kLanes <= columns; c += kLanes) mix_floats<1>(values, weights, w.factors[t], c, out);
      for (; c < columns; ++c) {
        float total = 0;
        const float* number = values.values + c;
        for (std::size_t p = 0; p < weights.size(); ++p, number += values.stride) total += weights.data()[p] * *number;
        out[c] = total * w.factors[t];
      }
    }
  }

  static constexpr KernelSet set(std::string_view name) {
    return {name, true, Isa::kOneMore, multiply, quantize, layer_norm, gelu, softmax, mix};
  }
};

}  // namespace midinf
