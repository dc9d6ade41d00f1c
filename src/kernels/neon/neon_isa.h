// The operations of simd.h on Arm's 128-bit registers; included in the files of the sets that have them, in an unnamed
// namespace.
#include <arm_neon.h>

#include <cstdint>
#include <cstring>

struct Neon {
  static constexpr int kLanes = 4, kTileRegisters = 2, kTileTokens = 4, kDotRegisters = 4, kMixTokens = 2;
  static constexpr float kOneMore = 1.0F;  // not measured
  using Float = float32x4_t;
  using Bytes = int8x16_t;
  using Four = int8x16_t;
  struct Dot {
    int32x4_t low, high;  // of rows 0 and 1, and 2 and 3: two sums of two products each
  };

  static Float load(const float* at) { return vld1q_f32(at); }
  static void store(float* at, Float v) { vst1q_f32(at, v); }
  static Float splat(float v) { return vdupq_n_f32(v); }
  static Float add(Float a, Float b) { return vaddq_f32(a, b); }
  static Float sub(Float a, Float b) { return vsubq_f32(a, b); }
  static Float mul(Float a, Float b) { return vmulq_f32(a, b); }
  static Float div(Float a, Float b) { return vdivq_f32(a, b); }
  static Float max(Float a, Float b) { return vmaxq_f32(a, b); }
  static Float min(Float a, Float b) { return vminq_f32(a, b); }
  static Float fma(Float a, Float b, Float c) { return vfmaq_f32(c, a, b); }
  static Float round(Float v) { return vrndnq_f32(v); }
  static float sum(Float v) {
    const float32x2_t halves = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(vpadd_f32(halves, halves), 0);
  }
  static float largest(Float v) { return vmaxvq_f32(v); }
  static Float pow2(Float n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
  }

  static Float load_f16(const std::byte* at) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(reinterpret_cast<const std::uint16_t*>(at))));
  }
  static Float load_bf16(const std::byte* at) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(reinterpret_cast<const std::uint16_t*>(at)), 16));
  }
  static void load_i8(const std::int8_t* at, Float& low, Float& high) {
    const int16x8_t words = vmovl_s8(vld1_s8(at));
    low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
    high = vcvtq_f32_s32(vmovl_s16(vget_high_s16(words)));
  }
  static void store_i8(std::int8_t* at, Float v) {
    const int16x4_t words = vmovn_s32(vcvtnq_s32_f32(v));
    const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
    std::memcpy(at, &bytes, 4);
  }
  static Bytes load_bytes(const std::byte* at) { return vld1q_s8(reinterpret_cast<const std::int8_t*>(at)); }
  static Four splat_four(const std::int8_t* at) {
    std::int32_t four;
    std::memcpy(&four, at, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
  }
  struct Halves {
    Bytes low, high;
  };
  static Halves load_halves(const std::byte* at) {
    const uint8x16_t bytes = vld1q_u8(reinterpret_cast<const std::uint8_t*>(at));
    return {vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15))), vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4))};
  }
  static constexpr int offset() { return 0; }
  static Dot begin(std::int32_t sum) {
    const int32x4_t first = vsetq_lane_s32(sum, vsetq_lane_s32(sum, vdupq_n_s32(0), 0), 2);
    return {first, first};
  }
  static Dot dot(Dot sum, Bytes w, Four x) {
    return {vpadalq_s16(sum.low, vmull_s8(vget_low_s8(w), vget_low_s8(x))), vpadalq_s16(sum.high, vmull_high_s8(w, x))};
  }
  static Float end(Dot v) { return vcvtq_f32_s32(vpaddq_s32(v.low, v.high)); }
  using Small = Dot;
  static Small begin_small(std::int32_t sum) { return begin(sum); }
  static Small dot_small(Small sum, Bytes w, Four x) { return dot(sum, w, x); }
  static Float end_small(Small v) { return end(v); }
};
