// Which instruction set's functions (f32_functions.h) run here, and what needs none.
#include <immintrin.h>

#include <cstdint>

#include "exports.h"

// Bits of the largest registers that processor and operating system offer: 512, 256, or 0 for neither.
EXPORT int32_t lethe_f32_bits() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) {
    return 512;
  }
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 256 : 0;
}

// Asks for rows of bytes to be brought into the second-level cache.
EXPORT void lethe_prefetch(int64_t rows, int64_t bytes, const char* from, int64_t from_row) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < bytes; j += 64) {
      _mm_prefetch(from + i * from_row + j, _MM_HINT_T1);
    }
  }
}
