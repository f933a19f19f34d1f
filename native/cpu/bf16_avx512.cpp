// Products of bfloat16 factors, summed in float32, for processors with AVX-512 BF16. Java calls these
// functions (dev.lethe.backend.cpu.gemm.Bf16Products), one call for a block of rows and a panel of columns.
//
// The library itself is compiled for any x86-64: only functions marked AVX512_BF16 use the instructions,
// and nobody calls them where lethe_bf16_supported() says 0. Rows are given by pointer and distance in bytes.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "exports.h"

#define AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

namespace {

constexpr int64_t LANES = 16;
constexpr int64_t TILE_ROWS = 12;

__mmask16 first(int64_t columns) {
  return columns >= LANES ? __mmask16(0xFFFF) : __mmask16((1u << (columns > 0 ? columns : 0)) - 1);
}

// Two neighbours of a row, as often as a vector holds them.
AVX512_BF16 inline __m512bh pair(const char* at) {
  int32_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return (__m512bh)_mm512_set1_epi32(bits);
}

// C = Z + A B for R rows and V vectors of columns; the tile of C stays in registers.
template <int R, int V>
AVX512_BF16 void tile(
    int64_t pairs, const char* a, int64_t a_row, const char* b, const char* z, int64_t z_row, char* c,
    int64_t c_row, int64_t columns) {
  __mmask16 used[V];
  __m512 sum[R][V];
#pragma GCC unroll 2
  for (int v = 0; v < V; v++) {
    used[v] = first(columns - LANES * v);
  }
#pragma GCC unroll 12
  for (int i = 0; i < R; i++) {
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) {
      sum[i][v] = _mm512_maskz_loadu_ps(used[v], z + i * z_row + 64 * v);
    }
  }
  for (int64_t k = 0; k < pairs; k++) {
    __m512bh right[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) {
      right[v] = (__m512bh)_mm512_loadu_si512(b + 64 * (k * V + v));
    }
#pragma GCC unroll 12
    for (int i = 0; i < R; i++) {
      __m512bh left = pair(a + i * a_row + 4 * k);
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) {
        sum[i][v] = _mm512_dpbf16_ps(sum[i][v], left, right[v]);
      }
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < R; i++) {
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) {
      _mm512_mask_storeu_ps(c + i * c_row + 64 * v, used[v], sum[i][v]);
    }
  }
}

using Tile = void (*)(
    int64_t, const char*, int64_t, const char*, const char*, int64_t, char*, int64_t, int64_t);

template <int V>
constexpr Tile TILES[TILE_ROWS] = {
    tile<1, V>, tile<2, V>, tile<3, V>, tile<4, V>,  tile<5, V>,  tile<6, V>,
    tile<7, V>, tile<8, V>, tile<9, V>, tile<10, V>, tile<11, V>, tile<12, V>};

}  // namespace

// Whether processor and operating system offer AVX-512 BF16: 1 or 0.
EXPORT int32_t lethe_bf16_supported() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
}

// Rounds rows of floats (rows,depth) to the nearest bfloat16, ties to even; a row of odd depth gets a zero
// behind its last number.
EXPORT AVX512_BF16 void lethe_bf16_round(
    int64_t rows, int64_t depth, const char* from, int64_t from_row, char* to, int64_t to_row) {
  for (int64_t i = 0; i < rows; i++) {
    const char* source = from + i * from_row;
    char* target = to + i * to_row;
    for (int64_t k = 0; k < depth; k += LANES) {
      int64_t left = depth - k;
      __m512 numbers = _mm512_maskz_loadu_ps(first(left), source + 4 * k);
      __m256i rounded = (__m256i)_mm512_cvtneps_pbh(numbers);
      _mm256_mask_storeu_epi16(target + 2 * k, first(left + left % 2), rounded);
    }
  }
}

// C = Z + A B with A (rows,depth) from lethe_bf16_round and B one panel: for each pair of depths, the two
// numbers of column 0, of column 1 and so on, 16 columns where columns <= 16 and 32 otherwise; the number
// behind an odd depth is zero. Z may be C, or one row to repeat at a distance of 0.
EXPORT void lethe_bf16_multiply(
    int64_t rows, int64_t columns, int64_t depth, const char* a, int64_t a_row, const char* b,
    const char* z, int64_t z_row, char* c, int64_t c_row) {
  const Tile* tiles = columns > LANES ? TILES<2> : TILES<1>;
  int64_t pairs = (depth + 1) / 2;
  for (int64_t i = 0; i < rows; i += TILE_ROWS) {
    int64_t count = rows - i < TILE_ROWS ? rows - i : TILE_ROWS;
    tiles[count - 1](
        pairs, a + i * a_row, a_row, b, z + i * z_row, z_row, c + i * c_row, c_row, columns);
  }
}
