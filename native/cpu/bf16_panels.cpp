// Panels of floats from rows of bfloat16 numbers, for every x86-64: what loading a model spends its time on, and each
// product with a weight that stays in its file. Each number is read once, looked at, and written once.
#include <emmintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "exports.h"

namespace {

// Columns that are turned in the nearest cache before they are written.
constexpr int64_t COLUMNS = 64;
constexpr int64_t WIDEST = 32;

typedef uint16_t __attribute__((aligned(1), may_alias)) Half;

// Not zero where a number's exponent has all its bits.
inline __m128i endless(__m128i numbers) {
  __m128i exponent = _mm_set1_epi16(0x7F80);
  return _mm_cmpeq_epi16(_mm_and_si128(numbers, exponent), exponent);
}

// 4 rows by 8 columns become 8 rows by 4 columns; what is not finite is added to found.
inline void turn(const char* from, int64_t from_row, float* to, int64_t to_row, __m128i& found) {
  __m128 left[4];
  __m128 right[4];
  for (int i = 0; i < 4; i++) {
    __m128i numbers = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i * from_row));
    found = _mm_or_si128(found, endless(numbers));
    left[i] = _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), numbers));
    right[i] = _mm_castsi128_ps(_mm_unpackhi_epi16(_mm_setzero_si128(), numbers));
  }
  _MM_TRANSPOSE4_PS(left[0], left[1], left[2], left[3]);
  _MM_TRANSPOSE4_PS(right[0], right[1], right[2], right[3]);
  for (int i = 0; i < 4; i++) {
    _mm_storeu_ps(to + i * to_row, left[i]);
    _mm_storeu_ps(to + (i + 4) * to_row, right[i]);
  }
}

// One number.
inline void turn_one(const char* from, float* to, __m128i& found) {
  uint32_t bits = uint32_t(*reinterpret_cast<const Half*>(from)) << 16;
  found = _mm_or_si128(found, endless(_mm_cvtsi32_si128(int32_t(bits >> 16))));
  std::memcpy(to, &bits, sizeof bits);
}

// Asks for what the next columns need.
inline void prefetch(const char* from, int64_t from_row, int64_t rows) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t byte = 0; byte < 2 * COLUMNS; byte += 64) {
      _mm_prefetch(from + i * from_row + byte, _MM_HINT_T0);
    }
  }
}

void write(const float* from, float* to, int64_t count) {
  if (reinterpret_cast<uintptr_t>(to) % 16 != 0 || count % 4 != 0) {
    std::memcpy(to, from, 4 * count);
    return;
  }
  for (int64_t i = 0; i < count; i += 4) {
    _mm_stream_ps(to + i, _mm_load_ps(from + i));
  }
}

// Turns a group of rows; high of them are there, four at most.
void turn_group(
    const char* row, int64_t from_row, int64_t high, int64_t columns, float* to, int64_t padded, __m128i& found) {
  int64_t j = 0;
  for (; high == 4 && j + 8 <= columns; j += 8) {
    turn(row + 2 * j, from_row, to + j * padded, padded, found);
  }
  for (; j < columns; j++) {
    for (int64_t r = 0; r < high; r++) {
      turn_one(row + r * from_row + 2 * j, to + j * padded + r, found);
    }
  }
}

}  // namespace

// Writes (rows,columns) transposed, as rows of padded floats, zeros behind what is there; whether all are finite. At
// most 32 rows. What is not read at once is written past the caches, which the panels of a whole model would only empty.
EXPORT int32_t lethe_transpose_bf16(
    int64_t rows, int64_t columns, const char* from, int64_t from_row, char* to, int64_t padded, int64_t read_at_once) {
  alignas(64) float turned[COLUMNS * WIDEST] = {};
  __m128i found = _mm_setzero_si128();
  float* target = reinterpret_cast<float*>(to);
  for (int64_t first = 0; first < columns; first += COLUMNS) {
    int64_t count = std::min(COLUMNS, columns - first);
    float* place = target + first * padded;
    bool direct = read_at_once && rows == padded;
    for (int64_t i = 0; i < rows; i += 4) {
      int64_t high = std::min<int64_t>(4, rows - i);
      const char* row = from + 2 * first + i * from_row;
      if (first + count < columns) {
        prefetch(row + 2 * COLUMNS, from_row, high);
      }
      turn_group(row, from_row, high, count, (direct ? place : turned) + i, padded, found);
    }
    if (read_at_once && !direct) {
      std::memcpy(place, turned, 4 * count * padded);
    } else if (!direct) {
      write(turned, place, count * padded);
    }
  }
  _mm_sfence();
  return _mm_movemask_epi8(found) == 0;
}

// Writes (rows,columns) as rows of padded floats, zeros behind what is there.
EXPORT void lethe_widen_bf16(
    int64_t rows, int64_t columns, const char* from, int64_t from_row, char* to, int64_t padded) {
  for (int64_t i = 0; i < rows; i++) {
    const char* row = from + i * from_row;
    float* target = reinterpret_cast<float*>(to) + i * padded;
    int64_t j = 0;
    for (; j + 8 <= columns; j += 8) {
      __m128i numbers = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 2 * j));
      _mm_storeu_ps(target + j, _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), numbers)));
      _mm_storeu_ps(target + j + 4, _mm_castsi128_ps(_mm_unpackhi_epi16(_mm_setzero_si128(), numbers)));
    }
    __m128i unseen = _mm_setzero_si128();
    for (; j < columns; j++) {
      turn_one(row + 2 * j, target + j, unseen);
    }
    std::memset(target + columns, 0, 4 * (padded - columns));
  }
}

// Whether all of n bfloat16 numbers are finite.
EXPORT int32_t lethe_finite_bf16(int64_t n, const char* from) {
  __m128i found = _mm_setzero_si128();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    found = _mm_or_si128(found, endless(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 2 * i))));
  }
  for (; i < n; i++) {
    found = _mm_or_si128(found, endless(_mm_cvtsi32_si128(*reinterpret_cast<const Half*>(from + 2 * i))));
  }
  return _mm_movemask_epi8(found) == 0;
}
