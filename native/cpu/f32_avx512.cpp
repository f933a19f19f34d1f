// Float32 in 512-bit registers: 12 rows by 2 vectors are 24 of the 32 registers.
#include <immintrin.h>

#include <cstdint>

namespace {

struct Vector {
  using Type = __m512;
  static constexpr int64_t BYTES = 64;

  static Type load(const char* at) { return _mm512_loadu_ps(at); }
  static Type load_bf16(const char* at) {
    __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    return _mm512_castsi512_ps(
        _mm512_maskz_slli_epi32(0xFFFF, _mm512_maskz_cvtepu16_epi32(0xFFFF, bits), 16));
  }
  static void store(char* at, Type value) { _mm512_storeu_ps(at, value); }
  static Type all(float value) { return _mm512_set1_ps(value); }
  static Type add(Type a, Type b) { return _mm512_add_ps(a, b); }
  static Type subtract(Type a, Type b) { return _mm512_sub_ps(a, b); }
  static Type multiply(Type a, Type b) { return _mm512_mul_ps(a, b); }
  static Type multiply_add(Type a, Type b, Type sum) { return _mm512_fmadd_ps(a, b, sum); }
  static Type divide(Type a, Type b) { return _mm512_div_ps(a, b); }
  static Type root(Type a) { return _mm512_maskz_sqrt_ps(0xFFFF, a); }
  static Type magnitude(Type a) { return bits(_mm512_andnot_si512(signs(), _mm512_castps_si512(a))); }
  static Type negate(Type a) { return bits(_mm512_xor_si512(signs(), _mm512_castps_si512(a))); }
  // b where a is not a number.
  static Type max(Type a, Type b) { return _mm512_max_ps(a, b); }

  static Type where_less(Type a, Type b, Type yes, Type no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
  }
  static Type where_equal(Type a, Type b, Type yes, Type no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), no, yes);
  }
  // 2^n, where n stands in the low bits.
  static Type power_of_two(Type n) {
    __m512i bits = _mm512_maskz_slli_epi32(0xFFFF, _mm512_castps_si512(n), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(bits, _mm512_set1_epi32(0x3F800000)));
  }

  static __mmask16 mask(int64_t count) { return __mmask16((1u << count) - 1); }
  static Type load_first(int64_t count, const char* at, Type others) {
    return _mm512_mask_loadu_ps(others, mask(count), at);
  }
  static void store_first(int64_t count, char* at, Type value) {
    _mm512_mask_storeu_ps(at, mask(count), value);
  }
  // The first elements, and zeros.
  static Type first(int64_t count, Type value) { return _mm512_maskz_mov_ps(mask(count), value); }

 private:
  static __m512i signs() { return _mm512_set1_epi32(int32_t(0x80000000)); }
  static Type bits(__m512i value) { return _mm512_castsi512_ps(value); }
};

}  // namespace

#define FUNCTION(f) lethe_f32_##f##_avx512
#define TILE_ROWS 12
#include "f32_functions.h"
