#include "kernels/kernels.h"

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/float16.h"

namespace midinf {

extern const KernelSet kPlainKernels;
extern const KernelSet kAvx2Kernels;
extern const KernelSet kWasmSimd128Kernels;

std::span<const KernelSet* const> available_kernels() {
  static const std::vector<const KernelSet*> sets = [] {
    std::vector<const KernelSet*> found;
#ifdef MIDINF_HAVE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"))
      found.push_back(&kAvx2Kernels);
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

void read_row(const MatrixView& w, int r, std::span<float> out) {
  MIDINF_ASSERT(r >= 0 && r < w.rows && out.size() == static_cast<std::size_t>(w.columns));
  const std::byte* row = w.row(r);
  switch (w.type) {
    case DType::kF32:
      std::memcpy(out.data(), row, out.size_bytes());
      return;
    case DType::kF16:
    case DType::kBF16:
      for (std::size_t c = 0; c < out.size(); ++c) {
        std::uint16_t bits;
        std::memcpy(&bits, row + 2 * c, 2);
        out[c] = w.type == DType::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
      }
      return;
    case DType::kQ8_0:
      for (std::size_t c = 0; c < out.size(); ++c) {
        const std::byte* block = row + c / kQ8Block * kQ8BlockBytes;
        std::uint16_t scale;
        std::memcpy(&scale, block, 2);
        out[c] = f16_to_f32(scale) * static_cast<float>(static_cast<std::int8_t>(block[2 + c % kQ8Block]));
      }
      return;
  }
}

}  // namespace midinf
