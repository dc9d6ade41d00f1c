// x86-64 with AVX2, FMA and F16C: Intel since 2013, AMD since 2015.
#include "kernels/simd.h"

namespace midinf {
namespace {

#include "kernels/avx2/avx2_isa.h"

}  // namespace

extern const KernelSet kAvx2Kernels;
const KernelSet kAvx2Kernels = SimdKernels<Avx2>::set("avx2");

}  // namespace midinf
