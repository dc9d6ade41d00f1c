// What the dot product of int8 changes; included in the files of the sets that have it, in an unnamed namespace.
#include "kernels/neon/neon_isa.h"

struct NeonDotprod : Neon {
  static constexpr int kTileRegisters = 4, kTileTokens = 3, kDotRegisters = 8;
  static constexpr float kOneMore = 0.3F;  // not measured
  using Dot = int32x4_t;
  static Dot begin(std::int32_t sum) { return vdupq_n_s32(sum); }
  static Dot dot(Dot sum, Bytes w, Four x) { return vdotq_s32(sum, w, x); }
  static Float end(Dot v) { return vcvtq_f32_s32(v); }
  using Small = Dot;
  static Small begin_small(std::int32_t sum) { return begin(sum); }
  static Small dot_small(Small sum, Bytes w, Four x) { return dot(sum, w, x); }
  static Float end_small(Small v) { return end(v); }
};
