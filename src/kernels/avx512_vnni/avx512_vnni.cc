// x86-64 with AVX-512 (F, BW, DQ, VL) and VNNI: Intel's servers since 2019, AMD since Zen 4.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/simd.h"

namespace midinf {
namespace {

struct Avx512Vnni {
  static constexpr int kLanes = 16, kTileRegisters = 2, kTileTokens = 6, kDotRegisters = 2, kMixTokens = 4;
  static constexpr float kOneMore = 0.22F;
  using Float = __m512;
  using Bytes = __m512i;
  using Four = __m512i;
  using Dot = __m512i;

  static Float load(const float* at) { return _mm512_loadu_ps(at); }
  static void store(float* at, Float v) { _mm512_storeu_ps(at, v); }
  static Float splat(float v) { return _mm512_set1_ps(v); }
  static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm512_sub_ps(a, b); }
  static Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float div(Float a, Float b) { return _mm512_div_ps(a, b); }
  static Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
  static Float min(Float a, Float b) { return _mm512_min_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float round(Float v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static float sum(Float v) { return _mm512_reduce_add_ps(v); }
  static float largest(Float v) { return _mm512_reduce_max_ps(v); }
  static Float pow2(Float n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
  }

  static Float load_f16(const std::byte* at) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
  }
  static Float load_bf16(const std::byte* at) {
    const __m512i upper = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(upper, 16));
  }
  static void load_i8(const std::int8_t* at, Float& low, Float& high) {
    const auto* sixteen = reinterpret_cast<const __m128i*>(at);
    low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(sixteen)));
    high = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(sixteen + 1)));
  }
  static void store_i8(std::int8_t* at, Float v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
  }
  // The product wants the weights unsigned.
  static constexpr int offset() { return 128; }
  static Bytes load_bytes(const std::byte* at) {
    return _mm512_xor_si512(_mm512_loadu_si512(at), _mm512_set1_epi8(static_cast<char>(0x80)));
  }
  static Four splat_four(const std::int8_t* at) {
    std::int32_t four;
    std::memcpy(&four, at, 4);
    return _mm512_set1_epi32(four);
  }
  struct Halves {
    Bytes low, high;
  };
  static Halves load_halves(const std::byte* at) {
    const __m512i bytes = _mm512_loadu_si512(at), half = _mm512_set1_epi8(15);
    return {_mm512_and_si512(bytes, half), _mm512_and_si512(_mm512_srli_epi16(bytes, 4), half)};
  }
  static Dot begin(std::int32_t sum) { return _mm512_set1_epi32(sum); }
  static Dot dot(Dot sum, Bytes w, Four x) { return _mm512_dpbusd_epi32(sum, w, x); }
  static Float end(Dot v) { return _mm512_cvtepi32_ps(v); }
  using Small = Dot;
  static Small begin_small(std::int32_t sum) { return begin(sum); }
  static Small dot_small(Small sum, Bytes w, Four x) { return dot(sum, w, x); }
  static Float end_small(Small v) { return end(v); }
};

}  // namespace

extern const KernelSet kAvx512VnniKernels;
const KernelSet kAvx512VnniKernels = SimdKernels<Avx512Vnni>::set("avx512_vnni");

}  // namespace midinf
