#include "kernels/kernels.h"

#include <cstdlib>
#include <string>
#include <vector>

#if defined(MIDINF_ARM64) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace midinf {

extern const KernelSet kPlainKernels;
extern const KernelSet kSse41Kernels;
extern const KernelSet kAvx2Kernels;
extern const KernelSet kAvxVnniKernels;
extern const KernelSet kAvx512VnniKernels;
extern const KernelSet kNeonKernels;
extern const KernelSet kNeonDotprodKernels;
extern const KernelSet kNeonI8mmKernels;
extern const KernelSet kWasmSimd128Kernels;

// Intel's processors read ahead by themselves to the end of a page of 4 KiB, and gain by being asked for the next;
// AMD's lose (decision 015). Others are taken for Intel's.
const bool kPageAhead = [] {
#ifdef MIDINF_X86
  __builtin_cpu_init();
  return !__builtin_cpu_is("amd");
#else
  return true;
#endif
}();

#ifdef MIDINF_ARM64
namespace {

bool has_dotprod() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
  return true;  // all since the first Mac with Arm
#else
  return false;  // nobody to ask
#endif
}

bool has_i8mm() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
#else
  return false;  // Macs since the M2 have it; none has tried it
#endif
}

}  // namespace
#endif

std::span<const KernelSet* const> available_kernels() {
  static const std::vector<const KernelSet*> sets = [] {
    std::vector<const KernelSet*> found;
#ifdef MIDINF_X86
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vnni"))
      found.push_back(&kAvx512VnniKernels);
    if (avx2 && __builtin_cpu_supports("avxvnni")) found.push_back(&kAvxVnniKernels);
    if (avx2) found.push_back(&kAvx2Kernels);
    if (__builtin_cpu_supports("sse4.1")) found.push_back(&kSse41Kernels);
#endif
#ifdef MIDINF_ARM64
    if (has_dotprod() && has_i8mm()) found.push_back(&kNeonI8mmKernels);
    if (has_dotprod()) found.push_back(&kNeonDotprodKernels);
    found.push_back(&kNeonKernels);
#endif
#ifdef MIDINF_HAVE_WASM_SIMD128
    found.push_back(&kWasmSimd128Kernels);  // the build says what the browser must have
#endif
    found.push_back(&kPlainKernels);
    return found;
  }();
  return sets;
}

Result<const KernelSet*> select_kernels(std::string_view name) {
  if (name.empty())
    if (const char* from_environment = std::getenv("MIDINFINITE_KERNELS")) name = from_environment;
  if (name.empty()) return available_kernels().front();
  std::string known;
  for (const KernelSet* set : available_kernels()) {
    if (set->name == name) return set;
    known += known.empty() ? std::string(set->name) : ", " + std::string(set->name);
  }
  return fail(ErrorCode::kUnsupported, "this machine has no kernel set of that name; it has: " + known,
              std::string(name));
}

}  // namespace midinf
