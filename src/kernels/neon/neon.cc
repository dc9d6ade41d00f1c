// 64-bit Arm: every processor of the kind.
#include "kernels/simd.h"

namespace midinf {
namespace {

#include "kernels/neon/neon_isa.h"

}  // namespace

extern const KernelSet kNeonKernels;
const KernelSet kNeonKernels = SimdKernels<Neon>::set("neon");

}  // namespace midinf
