// WebAssembly's 128-bit registers; with relaxed SIMD its fused multiply-add and its dot product. The build says which
// the browser must have. Browsers allocate registers well in small loops only.
#include <wasm_simd128.h>

#include <cstdint>
#include <cstring>

#include "kernels/simd.h"

namespace midinf {
namespace {

struct Simd128 {
  static constexpr int kLanes = 4, kTileRegisters = 1, kTileTokens = 4, kDotRegisters = 4, kMixTokens = 1;
  static constexpr float kOneMore = 1.0F;  // 0.6 to 0.8: too much
  using Float = v128_t;

  static Float load(const float* at) { return wasm_v128_load(at); }
  static void store(float* at, Float v) { wasm_v128_store(at, v); }
  static Float splat(float v) { return wasm_f32x4_splat(v); }
  static Float add(Float a, Float b) { return wasm_f32x4_add(a, b); }
  static Float sub(Float a, Float b) { return wasm_f32x4_sub(a, b); }
  static Float mul(Float a, Float b) { return wasm_f32x4_mul(a, b); }
  static Float div(Float a, Float b) { return wasm_f32x4_div(a, b); }
  static Float max(Float a, Float b) { return wasm_f32x4_pmax(a, b); }
  static Float min(Float a, Float b) { return wasm_f32x4_pmin(a, b); }
  static Float round(Float v) { return wasm_f32x4_nearest(v); }
  static float sum(Float v) {
    return (wasm_f32x4_extract_lane(v, 0) + wasm_f32x4_extract_lane(v, 2)) +
           (wasm_f32x4_extract_lane(v, 1) + wasm_f32x4_extract_lane(v, 3));
  }
  static float largest(Float v) {
    v = max(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    return wasm_f32x4_extract_lane(max(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2)), 0);
  }
  static Float pow2(Float n) {
    return wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_splat(127)), 23);
  }

  // The exponent of a float16 is 112 less; what is infinite or no number stays so.
  static Float load_f16(const std::byte* at) {
    const v128_t half = wasm_u32x4_load16x4(at);
    const v128_t magnitude = wasm_i32x4_shl(wasm_v128_and(half, wasm_i32x4_const_splat(0x7FFF)), 13);
    const v128_t value = wasm_f32x4_mul(magnitude, wasm_f32x4_const_splat(0x1p112F));
    const v128_t infinite =
        wasm_v128_and(wasm_i32x4_ge(magnitude, wasm_i32x4_const_splat(0x0F800000)), wasm_i32x4_const_splat(0x7F800000));
    const v128_t sign = wasm_i32x4_shl(wasm_v128_and(half, wasm_i32x4_const_splat(0x8000)), 16);
    return wasm_v128_or(wasm_v128_or(value, infinite), sign);
  }
  static Float load_bf16(const std::byte* at) { return wasm_i32x4_shl(wasm_u32x4_load16x4(at), 16); }
  static void load_i8(const std::int8_t* at, Float& low, Float& high) {
    const v128_t words = wasm_i16x8_load8x8(at);
    low = wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(words));
    high = wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(words));
  }
  static void store_i8(std::int8_t* at, Float v) {
    const v128_t whole = wasm_i32x4_trunc_sat_f32x4(v);
    const v128_t words = wasm_i16x8_narrow_i32x4(whole, whole);
    wasm_v128_store32_lane(at, wasm_i8x16_narrow_i16x8(words, words), 0);
  }

#ifdef __wasm_relaxed_simd__
  static Float fma(Float a, Float b, Float c) { return wasm_f32x4_relaxed_madd(a, b, c); }

  // The relaxed product takes signed numbers and such of 0..127; whether it takes its second operand's bytes above 127
  // as signed (Arm) or unsigned (x86-64) is each machine's own. Weights are given to it as it wants them.
  static inline const bool wants_unsigned_ = [] {
    volatile std::int8_t minus_one = -1;
    const v128_t pairs = wasm_i16x8_relaxed_dot_i8x16_i7x16(wasm_i8x16_const_splat(1), wasm_i8x16_splat(minus_one));
    return wasm_i16x8_extract_lane(pairs, 0) > 0;
  }();
  static int offset() { return wants_unsigned_ ? 128 : 0; }
  using Bytes = v128_t;
  static Bytes load_bytes(const std::byte* at) {
    return wasm_v128_xor(wasm_v128_load(at), wasm_i8x16_splat(static_cast<std::int8_t>(wants_unsigned_ ? -128 : 0)));
  }
  struct Halves {
    Bytes low, high;
  };
  static Halves load_halves(const std::byte* at) {
    const v128_t bytes = wasm_v128_load(at);
    return {wasm_v128_and(bytes, wasm_i8x16_const_splat(15)), wasm_u8x16_shr(bytes, 4)};
  }
  using Four = v128_t;
  static Four splat_four(const std::int8_t* at) { return wasm_v128_load32_splat(at); }
  using Dot = v128_t;
  static Dot begin(std::int32_t sum) { return wasm_i32x4_splat(sum); }
  static Dot dot(Dot sum, Bytes w, Four x) { return add_pairs(sum, wasm_i16x8_relaxed_dot_i8x16_i7x16(x, w)); }
  static Float end(Dot v) { return wasm_f32x4_convert_i32x4(v); }
  // Eight times two of 64 · 15 fit into 16 bits.
  struct Small {
    v128_t pairs;
    Dot sum;
  };
  static Small begin_small(std::int32_t sum) { return {wasm_i16x8_const_splat(0), begin(sum)}; }
  static Small dot_small(Small sum, Bytes w, Four x) {
    return {wasm_i16x8_add(sum.pairs, wasm_i16x8_relaxed_dot_i8x16_i7x16(x, w)), sum.sum};
  }
  static Float end_small(Small v) { return end(add_pairs(v.sum, v.pairs)); }

 private:
  static Dot add_pairs(Dot sum, v128_t pairs) {
    return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(pairs, wasm_i16x8_const_splat(1)));
  }
#else
  static Float fma(Float a, Float b, Float c) { return wasm_f32x4_add(wasm_f32x4_mul(a, b), c); }

  static constexpr int offset() { return 0; }
  struct Bytes {
    v128_t low, high;  // of rows 0 and 1, and 2 and 3, as 16-bit numbers
  };
  static Bytes load_bytes(const std::byte* at) { return {wasm_i16x8_load8x8(at), wasm_i16x8_load8x8(at + 8)}; }
  struct Halves {
    Bytes low, high;
  };
  static Halves load_halves(const std::byte* at) {
    const v128_t low = wasm_u16x8_load8x8(at), high = wasm_u16x8_load8x8(at + 8);
    return {{wasm_v128_and(low, wasm_i16x8_const_splat(15)), wasm_v128_and(high, wasm_i16x8_const_splat(15))},
            {wasm_u16x8_shr(low, 4), wasm_u16x8_shr(high, 4)}};
  }
  using Four = v128_t;  // as 16-bit numbers, twice
  struct Dot {
    v128_t low, high;  // of rows 0 and 1, and 2 and 3: two sums of two products each
  };
  static Four splat_four(const std::int8_t* at) { return wasm_i16x8_extend_low_i8x16(wasm_v128_load32_splat(at)); }
  static Dot begin(std::int32_t sum) { return {wasm_i32x4_make(sum, 0, sum, 0), wasm_i32x4_make(sum, 0, sum, 0)}; }
  static Dot dot(Dot sum, Bytes w, Four x) {
    return {wasm_i32x4_add(sum.low, wasm_i32x4_dot_i16x8(w.low, x)),
            wasm_i32x4_add(sum.high, wasm_i32x4_dot_i16x8(w.high, x))};
  }
  static Float end(Dot v) {
    return wasm_f32x4_convert_i32x4(
        wasm_i32x4_add(wasm_i32x4_shuffle(v.low, v.high, 0, 2, 4, 6), wasm_i32x4_shuffle(v.low, v.high, 1, 3, 5, 7)));
  }
  using Small = Dot;
  static Small begin_small(std::int32_t sum) { return begin(sum); }
  static Small dot_small(Small sum, Bytes w, Four x) { return dot(sum, w, x); }
  static Float end_small(Small v) { return end(v); }
#endif
};

}  // namespace

extern const KernelSet kWasmSimd128Kernels;
#ifdef __wasm_relaxed_simd__
const KernelSet kWasmSimd128Kernels = SimdKernels<Simd128>::set("wasm_relaxed");
#else
const KernelSet kWasmSimd128Kernels = SimdKernels<Simd128>::set("wasm_simd128");
#endif

}  // namespace midinf
