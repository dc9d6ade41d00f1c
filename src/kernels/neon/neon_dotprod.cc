// 64-bit Arm with the dot product of int8 (Armv8.4, and most since 2018: Cortex-A76, Apple A11 and M1, Neoverse N1).
#include "kernels/simd.h"

namespace midinf {
namespace {

#include "kernels/neon/neon_isa.h"

struct NeonDotprod : Neon {
  static constexpr int kTileRegisters = 4, kTileTokens = 3, kDotRegisters = 8;
  using Dot = int32x4_t;
  static Dot begin(std::int32_t sum) { return vdupq_n_s32(sum); }
  static Dot dot(Dot sum, Bytes w, Four x) { return vdotq_s32(sum, w, x); }
  static Dot dot_small(Dot sum, Bytes w, Four x) { return dot(sum, w, x); }
  static Float end(Dot v) { return vcvtq_f32_s32(v); }
};

}  // namespace

extern const KernelSet kNeonDotprodKernels;
const KernelSet kNeonDotprodKernels = SimdKernels<NeonDotprod>::set("neon_dotprod");

}  // namespace midinf
