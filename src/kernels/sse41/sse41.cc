// x86-64 with SSE4.1: Intel since 2008, AMD since 2011. No fused multiply-add: rounds twice, as WebAssembly
// without relaxed SIMD does, to the same bits.
#include <smmintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/simd.h"

namespace midinf {
namespace {

struct Sse41 {
  static constexpr int kLanes = 4, kTileRegisters = 2, kTileTokens = 4, kDotRegisters = 4, kMixTokens = 1;
  static constexpr float kOneMore = 1.0F;  // 0.7: too much
  using Float = __m128;
  using Bytes = __m128i;
  using Four = __m128i;
  using Dot = __m128i;

  static Float load(const float* at) { return _mm_loadu_ps(at); }
  static void store(float* at, Float v) { _mm_storeu_ps(at, v); }
  static Float splat(float v) { return _mm_set1_ps(v); }
  static Float add(Float a, Float b) { return _mm_add_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm_sub_ps(a, b); }
  static Float mul(Float a, Float b) { return _mm_mul_ps(a, b); }
  static Float div(Float a, Float b) { return _mm_div_ps(a, b); }
  static Float max(Float a, Float b) { return _mm_max_ps(a, b); }
  static Float min(Float a, Float b) { return _mm_min_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
  static Float round(Float v) { return _mm_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static float sum(Float v) {
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
  }
  static float largest(Float v) {
    v = _mm_max_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_max_ss(v, _mm_movehdup_ps(v)));
  }
  static Float pow2(Float n) {
    return _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127)), 23));
  }

  // The exponent of a float16 is 112 less; what is infinite or no number stays so.
  static Float load_f16(const std::byte* at) {
    const __m128i half = load_words(at);
    const __m128i magnitude = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x7FFF)), 13);
    const __m128 value = _mm_mul_ps(_mm_castsi128_ps(magnitude), _mm_set1_ps(0x1p112F));
    const __m128i infinite =
        _mm_and_si128(_mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x0F7FFFFF)), _mm_set1_epi32(0x7F800000));
    const __m128i sign = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x8000)), 16);
    return _mm_or_ps(value, _mm_castsi128_ps(_mm_or_si128(infinite, sign)));
  }
  static Float load_bf16(const std::byte* at) { return _mm_castsi128_ps(_mm_slli_epi32(load_words(at), 16)); }
  static void load_i8(const std::int8_t* at, Float& low, Float& high) {
    low = _mm_cvtepi32_ps(_mm_cvtepi8_epi32(splat_four(at)));
    high = _mm_cvtepi32_ps(_mm_cvtepi8_epi32(splat_four(at + 4)));
  }
  static void store_i8(std::int8_t* at, Float v) {
    const __m128i words = _mm_packs_epi32(_mm_cvtps_epi32(v), _mm_setzero_si128());
    const std::int32_t four = _mm_cvtsi128_si32(_mm_packs_epi16(words, words));
    std::memcpy(at, &four, 4);
  }
  // The product wants the weights unsigned; why its pairs fit into 16 bits: kMostActivation.
  static constexpr int offset() { return 128; }
  static Bytes load_bytes(const std::byte* at) {
    return _mm_xor_si128(load_raw(at), _mm_set1_epi8(static_cast<char>(0x80)));
  }
  static Four splat_four(const std::int8_t* at) {
    std::int32_t four;
    std::memcpy(&four, at, 4);
    return _mm_set1_epi32(four);
  }
  struct Halves {
    Bytes low, high;
  };
  static Halves load_halves(const std::byte* at) {
    const __m128i bytes = load_raw(at), half = _mm_set1_epi8(15);
    return {_mm_and_si128(bytes, half), _mm_and_si128(_mm_srli_epi16(bytes, 4), half)};
  }
  static Dot begin(std::int32_t sum) { return _mm_set1_epi32(sum); }
  static Dot dot(Dot sum, Bytes w, Four x) { return add_pairs(sum, _mm_maddubs_epi16(w, x)); }
  static Float end(Dot v) { return _mm_cvtepi32_ps(v); }
  // Eight times two of 64 · 15 fit into 16 bits.
  struct Small {
    __m128i pairs;
    Dot sum;
  };
  static Small begin_small(std::int32_t sum) { return {_mm_setzero_si128(), begin(sum)}; }
  static Small dot_small(Small sum, Bytes w, Four x) {
    return {_mm_add_epi16(sum.pairs, _mm_maddubs_epi16(w, x)), sum.sum};
  }
  static Float end_small(Small v) { return end(add_pairs(v.sum, v.pairs)); }

 private:
  static __m128i load_raw(const std::byte* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
  static Dot add_pairs(Dot sum, __m128i pairs) { return _mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(1))); }
  static __m128i load_words(const std::byte* at) {
    return _mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
  }
};

}  // namespace

extern const KernelSet kSse41Kernels;
const KernelSet kSse41Kernels = SimdKernels<Sse41>::set("sse41");

}  // namespace midinf
