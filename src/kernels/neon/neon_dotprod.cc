// 64-bit Arm with the dot product of int8 (Armv8.4, and most since 2018: Cortex-A76, Apple A11 and M1, Neoverse N1).
#include "kernels/simd.h"

namespace midinf {
namespace {

#include "kernels/neon/neon_dotprod_isa.h"

}  // namespace

extern const KernelSet kNeonDotprodKernels;
const KernelSet kNeonDotprodKernels = SimdKernels<NeonDotprod>::set("neon_dotprod");

}  // namespace midinf
