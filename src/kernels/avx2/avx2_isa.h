// The operations of simd.h on 256-bit registers; included in the files of the sets that have them, in an unnamed
// namespace.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

struct Avx2 {
  static constexpr int kLanes = 8, kTileRegisters = 1, kTileTokens = 4, kDotRegisters = 4, kMixTokens = 2;
  static constexpr float kOneMore = 0.4F;
  using Float = __m256;
  using Bytes = __m256i;
  using Four = __m256i;
  using Dot = __m256i;

  static Float load(const float* at) { return _mm256_loadu_ps(at); }
  static void store(float* at, Float v) { _mm256_storeu_ps(at, v); }
  static Float splat(float v) { return _mm256_set1_ps(v); }
  static Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm256_sub_ps(a, b); }
  static Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float div(Float a, Float b) { return _mm256_div_ps(a, b); }
  static Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
  static Float min(Float a, Float b) { return _mm256_min_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static Float round(Float v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static float sum(Float v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  static float largest(Float v) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
  }
  static Float pow2(Float n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
  }

  static Float load_f16(const std::byte* at) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  }
  static Float load_bf16(const std::byte* at) {
    const __m256i upper = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(upper, 16));
  }
  static void load_i8(const std::int8_t* at, Float& low, Float& high) {
    low = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))));
    high = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at + 8))));
  }
  static void store_i8(std::int8_t* at, Float v) {
    const __m256i whole = _mm256_cvtps_epi32(v);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at), _mm_packs_epi16(words, words));
  }
  // The product wants the weights unsigned; why its pairs fit into 16 bits: kMostActivation.
  static constexpr int offset() { return 128; }
  static Bytes load_bytes(const std::byte* at) {
    return _mm256_xor_si256(load_raw(at), _mm256_set1_epi8(static_cast<char>(0x80)));
  }
  static Four splat_four(const std::int8_t* at) {
    std::int32_t four;
    std::memcpy(&four, at, 4);
    return _mm256_set1_epi32(four);
  }
  struct Halves {
    Bytes low, high;
  };
  static Halves load_halves(const std::byte* at) {
    const __m256i bytes = load_raw(at), half = _mm256_set1_epi8(15);
    return {_mm256_and_si256(bytes, half), _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half)};
  }
  static Dot begin(std::int32_t sum) { return _mm256_set1_epi32(sum); }
  static Dot dot(Dot sum, Bytes w, Four x) { return add_pairs(sum, _mm256_maddubs_epi16(w, x)); }
  static Float end(Dot v) { return _mm256_cvtepi32_ps(v); }
  // Eight times two of 64 · 15 fit into 16 bits.
  struct Small {
    __m256i pairs;
    Dot sum;
  };
  static Small begin_small(std::int32_t sum) { return {_mm256_setzero_si256(), begin(sum)}; }
  static Small dot_small(Small sum, Bytes w, Four x) {
    return {_mm256_add_epi16(sum.pairs, _mm256_maddubs_epi16(w, x)), sum.sum};
  }
  static Float end_small(Small v) { return end(add_pairs(v.sum, v.pairs)); }

 private:
  static __m256i load_raw(const std::byte* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
  static Dot add_pairs(Dot sum, __m256i pairs) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};
