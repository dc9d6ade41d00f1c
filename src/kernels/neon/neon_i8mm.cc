// 64-bit Arm with matrix products of int8 (Armv8.6; Neoverse V1 and N2, Cortex-A510, A710 and X2). One token is
// computed as neon_dotprod does it. Of several, pairs meet quantised weights together: one instruction multiplies eight
// columns of two rows by those of two tokens. Tested under qemu; no machine of ours has it, so untimed.
#include "kernels/simd.h"

namespace midinf {
namespace {

#include "kernels/neon/neon_dotprod_isa.h"

using Dotprod = SimdKernels<NeonDotprod>;
using Float = NeonDotprod::Float;
constexpr int kLanes = NeonDotprod::kLanes;

// Of the largest tile. Its sums fill 24 registers, the blocks' integers among them; 32 there are.
constexpr int kTileRegisters = 2, kTileTokens = 6;

// Eight columns of a register's four rows.
struct Rows {
  int8x16_t upper, lower;  // of rows 0 and 1, and 2 and 3: eight bytes of each
};

// Panels keep four bytes of a row together: the next four stand behind those of all other rows.
struct RowBytes {
  uint8x16_t upper, lower;

  static RowBytes load(const std::byte* at) {
    const auto* numbers = reinterpret_cast<const std::uint8_t*>(at);
    const uint32x4_t first = vreinterpretq_u32_u8(vld1q_u8(numbers));
    const uint32x4_t second = vreinterpretq_u32_u8(vld1q_u8(numbers + 4 * kPanelRows));
    return {vreinterpretq_u8_u32(vzip1q_u32(first, second)), vreinterpretq_u8_u32(vzip2q_u32(first, second))};
  }
  [[nodiscard]] Rows whole() const { return {vreinterpretq_s8_u8(upper), vreinterpretq_s8_u8(lower)}; }
  [[nodiscard]] Rows low_halves() const {
    return {vreinterpretq_s8_u8(vandq_u8(upper, vdupq_n_u8(15))), vreinterpretq_s8_u8(vandq_u8(lower, vdupq_n_u8(15)))};
  }
  [[nodiscard]] Rows high_halves() const {
    return {vreinterpretq_s8_u8(vshrq_n_u8(upper, 4)), vreinterpretq_s8_u8(vshrq_n_u8(lower, 4))};
  }
};

// Eight activations of a token and of the next one.
int8x16_t load_two(const std::int8_t* at, int stride) {
  return vcombine_s8(vld1_s8(at), vld1_s8(at + stride));
}

// Sums of products, of four rows with two tokens.
struct Dots {
  int32x4_t upper, lower;  // row 0 with both tokens, row 1 with both; rows 2 and 3

  static Dots begin(std::int32_t first, std::int32_t second) {
    const int32x4_t both = vzip1q_s32(vdupq_n_s32(first), vdupq_n_s32(second));
    return {both, both};
  }
  void add(const Rows& w, int8x16_t x) {
    upper = vmmlaq_s32(upper, w.upper, x);
    lower = vmmlaq_s32(lower, w.lower, x);
  }
  [[nodiscard]] Float first_token() const { return vcvtq_f32_s32(vuzp1q_s32(upper, lower)); }
  [[nodiscard]] Float second_token() const { return vcvtq_f32_s32(vuzp2q_s32(upper, lower)); }
};

// As quantized_tile in simd.h, sum for sum, with T tokens in pairs.
template <DType kType, int T>
void tile(const std::byte* panel, int columns, int first, const ActivationView& x, const float* bias, float* y,
          int y_stride) {
  static_assert(T % 2 == 0 && NeonDotprod::offset() == 0);
  constexpr int R = kTileRegisters, kHalf = kQuantBlock / 2;
  constexpr int kBytes = kType == DType::kQ8_0 ? kQuantBlock : kHalf;  // of a row's block
  constexpr int kOffset = kType == DType::kQ8_0 ? 0 : 8;               // what weights have too much
  constexpr std::ptrdiff_t kBlockBytes = (2 + kBytes) * kPanelRows;
  const int blocks = columns / kQuantBlock, x_blocks = x.stride / kQuantBlock;
  Float total[R][T];
  for (int r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t) total[r][t] = NeonDotprod::splat(0);
  const std::byte* scales = panel + static_cast<std::ptrdiff_t>(first) * kLanes * 2;
  const std::byte* weights = panel + 2 * kPanelRows + static_cast<std::ptrdiff_t>(first) * kLanes * 4;
  for (int b = 0; b < blocks; ++b, scales += kBlockBytes, weights += kBlockBytes) {
    const std::int8_t* xs = x.quantized + b * kQuantBlock;
    const std::int32_t* sums = x.sums + b;
    Dots dots[R][T / 2];
    for (int t = 0; t < T; t += 2)
      for (int r = 0; r < R; ++r)
        dots[r][t / 2] = Dots::begin(-kOffset * sums[t * x_blocks], -kOffset * sums[(t + 1) * x_blocks]);
#pragma GCC unroll 4
    for (int c = 0; c < kBytes; c += 8) {
      int8x16_t low[T / 2], high[T / 2];
      for (int t = 0; t < T; t += 2) {
        low[t / 2] = load_two(xs + t * x.stride + c, x.stride);
        if constexpr (kType == DType::kQ4_0) high[t / 2] = load_two(xs + t * x.stride + kHalf + c, x.stride);
      }
      for (int r = 0; r < R; ++r) {
        const RowBytes w = RowBytes::load(weights + static_cast<std::ptrdiff_t>(c) * kPanelRows + r * kLanes * 4);
        if constexpr (kType == DType::kQ8_0) {
          const Rows whole = w.whole();
          for (int t = 0; t < T / 2; ++t) dots[r][t].add(whole, low[t]);
        } else {
          const Rows low_halves = w.low_halves(), high_halves = w.high_halves();
          for (int t = 0; t < T / 2; ++t) dots[r][t].add(low_halves, low[t]);
          for (int t = 0; t < T / 2; ++t) dots[r][t].add(high_halves, high[t]);
        }
      }
    }
    for (int r = 0; r < R; ++r) {
      const Float scale = NeonDotprod::load_f16(scales + static_cast<std::ptrdiff_t>(r) * kLanes * 2);
      const auto scaled = [&](Float sum, int t) {
        const Float both = NeonDotprod::mul(scale, NeonDotprod::splat(x.scales[t * x_blocks + b]));
        total[r][t] = NeonDotprod::fma(sum, both, total[r][t]);
      };
      for (int t = 0; t < T; t += 2) {
        scaled(dots[r][t / 2].first_token(), t);
        scaled(dots[r][t / 2].second_token(), t + 1);
      }
    }
  }
  Dotprod::put<R, T>(total, first, bias, y, y_stride);
}

// T tokens at a time from token t on, while there are as many; moves t behind them.
template <DType kType, int T>
void tiles(const std::byte* panel, int columns, const ActivationView& x, int& t, int tokens, const float* bias,
           float* y, int y_stride) {
  for (; t + T <= tokens; t += T)
    for (int first = 0; first < Dotprod::kRegisters; first += kTileRegisters)
      tile<kType, T>(panel, columns, first, x.token(t), bias, y + static_cast<std::ptrdiff_t>(t) * y_stride, y_stride);
}

template <DType kType>
void multiply_as(const PanelMatrix& w, IndexRange panels, const float* bias, const ActivationView& x, int tokens,
                 float* y, int y_stride) {
  for (int p = panels.begin; p < panels.end; ++p, y += kPanelRows) {
    const std::byte* panel = w.panel(p);
    const float* b = bias == nullptr ? nullptr : bias + static_cast<std::ptrdiff_t>(p) * kPanelRows;
    int t = 0;
    tiles<kType, kTileTokens>(panel, w.columns, x, t, tokens, b, y, y_stride);
    tiles<kType, 4>(panel, w.columns, x, t, tokens, b, y, y_stride);
    tiles<kType, 2>(panel, w.columns, x, t, tokens, b, y, y_stride);
    if (t < tokens)
      Dotprod::tile<kType, 1>(panel, w.columns, x.token(t), b, y + static_cast<std::ptrdiff_t>(t) * y_stride, y_stride);
  }
}

void multiply(const PanelMatrix& w, IndexRange panels, const float* bias, const ActivationView& x, int tokens, float* y,
              int y_stride) {
  if (w.type == DType::kQ8_0) return multiply_as<DType::kQ8_0>(w, panels, bias, x, tokens, y, y_stride);
  if (w.type == DType::kQ4_0) return multiply_as<DType::kQ4_0>(w, panels, bias, x, tokens, y, y_stride);
  Dotprod::multiply(w, panels, bias, x, tokens, y, y_stride);
}

constexpr KernelSet set() {
  KernelSet set = Dotprod::set("neon_i8mm");
  set.multiply = multiply;
  set.one_more = 0.3F;  // not measured
  return set;
}

}  // namespace

extern const KernelSet kNeonI8mmKernels;
const KernelSet kNeonI8mmKernels = set();

}  // namespace midinf
