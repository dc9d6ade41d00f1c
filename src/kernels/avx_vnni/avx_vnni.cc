// x86-64 with AVX-VNNI, AVX2's registers and a dot product of int8: Intel's processors for laptops and desktops since
// 2021. Its tests pass on a Xeon that has it (2026-11-29); no machine that runs them regularly does.
#include "kernels/simd.h"

namespace midinf {
namespace {

#include "kernels/avx2/avx2_isa.h"

struct AvxVnni : Avx2 {
  static constexpr float kOneMore = 0.3F;  // not measured
  static Dot dot(Dot sum, Bytes w, Four x) { return _mm256_dpbusd_avx_epi32(sum, w, x); }
  using Small = Dot;
  static Small begin_small(std::int32_t sum) { return begin(sum); }
  static Small dot_small(Small sum, Bytes w, Four x) { return dot(sum, w, x); }
  static Float end_small(Small v) { return end(v); }
};

}  // namespace

extern const KernelSet kAvxVnniKernels;
const KernelSet kAvxVnniKernels = SimdKernels<AvxVnni>::set("avx_vnni");

}  // namespace midinf
