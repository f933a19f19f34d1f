// Float32 in 256-bit registers: 6 rows by 2 vectors are 12 of the 16 registers.
#include <immintrin.h>

#include <cstdint>

namespace {

struct Vector {
  using Type = __m256;
  static constexpr int64_t BYTES = 32;

  static Type load(const char* at) { return _mm256_loadu_ps(reinterpret_cast<const float*>(at)); }
  static Type load_bf16(const char* at) {
    __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
  }
  static void store(char* at, Type value) { _mm256_storeu_ps(reinterpret_cast<float*>(at), value); }
  static Type all(float value) { return _mm256_set1_ps(value); }
  static Type add(Type a, Type b) { return _mm256_add_ps(a, b); }
  static Type subtract(Type a, Type b) { return _mm256_sub_ps(a, b); }
  static Type multiply(Type a, Type b) { return _mm256_mul_ps(a, b); }
  static Type multiply_add(Type a, Type b, Type sum) { return _mm256_fmadd_ps(a, b, sum); }
  static Type divide(Type a, Type b) { return _mm256_div_ps(a, b); }
  static Type root(Type a) { return _mm256_sqrt_ps(a); }
  static Type magnitude(Type a) { return _mm256_andnot_ps(all(-0.0f), a); }
  static Type negate(Type a) { return _mm256_xor_ps(all(-0.0f), a); }
  // b where a is not a number.
  static Type max(Type a, Type b) { return _mm256_max_ps(a, b); }

  static Type where_less(Type a, Type b, Type yes, Type no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
  }
  static Type where_equal(Type a, Type b, Type yes, Type no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_EQ_OQ));
  }
  // 2^n, where n stands in the low bits.
  static Type power_of_two(Type n) {
    __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(0x3F800000)));
  }

  static __m256i mask(int64_t count) {
    __m256i place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(int32_t(count)), place);
  }
  static Type load_first(int64_t count, const char* at, Type others) {
    __m256i inside = mask(count);
    Type values = _mm256_maskload_ps(reinterpret_cast<const float*>(at), inside);
    return _mm256_blendv_ps(others, values, _mm256_castsi256_ps(inside));
  }
  static void store_first(int64_t count, char* at, Type value) {
    _mm256_maskstore_ps(reinterpret_cast<float*>(at), mask(count), value);
  }
  // The first elements, and zeros.
  static Type first(int64_t count, Type value) {
    return _mm256_and_ps(value, _mm256_castsi256_ps(mask(count)));
  }
};

}  // namespace

#define FUNCTION(f) lethe_f32_##f##_avx2
#define TILE_ROWS 6
#include "f32_functions.h"
