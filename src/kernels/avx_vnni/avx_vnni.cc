// x86-64 with AVX-VNNI, AVX2's registers and a dot product of int8: Intel's processors for laptops and desktops since
// 2021. Compiled; no machine of ours has it, so untested.
#include "kernels/simd.h"

namespace midinf {
namespace {

#include "kernels/avx2/avx2_isa.h"

struct AvxVnni : Avx2 {
  // The product wants the weights unsigned.
  static constexpr int kOffset = 128;
  static Bytes load_bytes(const std::byte* at) {
    return _mm256_xor_si256(Avx2::load_bytes(at), _mm256_set1_epi8(static_cast<char>(0x80)));
  }
  static Dot dot(Dot sum, Bytes w, Four x) { return _mm256_dpbusd_avx_epi32(sum, w, x); }
  static Dot dot_small(Dot sum, Bytes w, Four x) { return dot(sum, w, x); }
};

}  // namespace

extern const KernelSet kAvxVnniKernels;
const KernelSet kAvxVnniKernels = SimdKernels<AvxVnni>::set("avx_vnni");

}  // namespace midinf
