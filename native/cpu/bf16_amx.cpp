// Products of bfloat16 factors, summed in float32, for processors with AMX. The operands are those of bf16_avx512.cpp:
// a panel of B is as AMX wants a right factor, and rounded rows of A are as it wants a left one.
//
// A tile register holds 16 rows of 64 bytes. Four hold 32 rows and 32 columns of C, two of A and two of B feed
// them. The instruction takes subnormal numbers for zero and makes none; within 32 depths it sums the numbers of
// even and of odd depth apart. So sums differ from those of AVX-512 BF16 by the rounding of float32.
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "exports.h"

#define AMX __attribute__((target("amx-tile,amx-bf16")))
#define AVX512 __attribute__((target("avx512f,avx512bw")))

namespace {

constexpr int64_t TILE_ROWS = 16;
constexpr int64_t TILE_COLUMNS = 16;
constexpr int64_t TILE_PAIRS = 16;
constexpr int64_t TILE_BYTES = 64;

// What ldtilecfg reads. Registers 0 to 3 are C: rows 0 to 15, 16 to 31 by columns 0 to 15, 16 to 31; 4 and 5 are the
// rows of A, 6 and 7 the columns of B. A register that is not used has no rows.
struct alignas(64) Shapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  Shapes(int64_t c_rows, int64_t columns) {
    for (int i = 0; i < 2; i++) {
      int64_t high = part(c_rows, i, TILE_ROWS);
      set(4 + i, high, TILE_BYTES);
      for (int v = 0; v < 2; v++) {
        set(2 * i + v, high, 4 * part(columns, v, TILE_COLUMNS));
      }
      set(6 + i, TILE_PAIRS, 4 * part(columns, i, TILE_COLUMNS));
    }
  }

 private:
  static int64_t part(int64_t size, int i, int64_t most) {
    int64_t left = size - i * most;
    return left < 0 ? 0 : left > most ? most : left;
  }

  void set(int tile, int64_t high, int64_t bytes) {
    bool used = high > 0 && bytes > 0;
    rows[tile] = uint8_t(used ? high : 0);
    row_bytes[tile] = uint16_t(used ? bytes : 0);
  }
};

// The compiler does not know what tile instructions read: all that was written to memory must be there.
void written(const void* memory) { asm volatile("" : : "r"(memory) : "memory"); }

// Adds 32 depths to C: R tiles of rows, V of columns.
template <int R, int V>
AMX inline void step(const char* a, int64_t a_row, const char* b) {
  constexpr int64_t b_row = TILE_BYTES * V;
  _tile_loadd(6, b, b_row);
  _tile_loadd(4, a, a_row);
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (R == 2) {
    _tile_loadd(5, a + TILE_ROWS * a_row, a_row);
    _tile_dpbf16ps(2, 5, 6);
  }
  if constexpr (V == 2) {
    _tile_loadd(7, b + TILE_BYTES, b_row);
    _tile_dpbf16ps(1, 4, 7);
  }
  if constexpr (R == 2 && V == 2) {
    _tile_dpbf16ps(3, 5, 7);
  }
}

// The right factor: whole tiles, and what is left of the depth, with zeros behind.
struct Right {
  int64_t steps;
  const char* whole;
  const char* rest;
};

// C = Z + A B for R tiles of rows and V of columns.
template <int R, int V>
AMX void block(
    const char* a, int64_t a_row, const Right& b, const char* z, int64_t z_row, char* c, int64_t c_row) {
  _tile_loadd(0, z, z_row);
  if constexpr (V == 2) {
    _tile_loadd(1, z + TILE_BYTES, z_row);
  }
  if constexpr (R == 2) {
    _tile_loadd(2, z + TILE_ROWS * z_row, z_row);
  }
  if constexpr (R == 2 && V == 2) {
    _tile_loadd(3, z + TILE_ROWS * z_row + TILE_BYTES, z_row);
  }
  for (int64_t k = 0; k < b.steps; k++) {
    step<R, V>(a + TILE_BYTES * k, a_row, b.whole + TILE_PAIRS * TILE_BYTES * V * k);
  }
  if (b.rest != nullptr) {
    step<R, V>(a + TILE_BYTES * b.steps, a_row, b.rest);
  }
  _tile_stored(0, c, c_row);
  if constexpr (V == 2) {
    _tile_stored(1, c + TILE_BYTES, c_row);
  }
  if constexpr (R == 2) {
    _tile_stored(2, c + TILE_ROWS * c_row, c_row);
  }
  if constexpr (R == 2 && V == 2) {
    _tile_stored(3, c + TILE_ROWS * c_row + TILE_BYTES, c_row);
  }
}

AMX void shape(int64_t rows, int64_t columns) {
  Shapes shapes(rows, columns);
  written(&shapes);
  _tile_loadconfig(&shapes);
}

template <int V>
AMX void panel(
    int64_t rows, int64_t columns, const char* a, int64_t a_row, const Right& b, const char* z,
    int64_t z_row, char* c, int64_t c_row) {
  constexpr int64_t HIGH = 2 * TILE_ROWS;
  int64_t i = 0;
  if (rows >= HIGH) {
    shape(HIGH, columns);
    for (; i + HIGH <= rows; i += HIGH) {
      block<2, V>(a + i * a_row, a_row, b, z + i * z_row, z_row, c + i * c_row, c_row);
    }
  }
  if (i < rows) {
    shape(rows - i, columns);
    auto last = rows - i > TILE_ROWS ? block<2, V> : block<1, V>;
    last(a + i * a_row, a_row, b, z + i * z_row, z_row, c + i * c_row, c_row);
  }
  _tile_release();
}

using Bits = uint32_t __attribute__((vector_size(64)));
using Floats = float __attribute__((vector_size(64)));
using Halves = uint16_t __attribute__((vector_size(64)));

// Floats whose upper halves are the nearest bfloat16 numbers.
AVX512 inline Bits rounded(Bits number) {
  Bits nearest = number + 0x7FFF + (number >> 16 & 1);
  Bits quiet_nan = number | 0x400000;
  return (Floats)number != (Floats)number ? quiet_nan : nearest;
}

}  // namespace

// Whether the processor has AMX and the operating system lets this process use it: 1 or 0. The permission that is
// asked for here holds for all threads.
EXPORT int32_t lethe_amx_supported() {
  constexpr uint32_t AMX_BF16 = 1u << 22, AMX_TILE = 1u << 24;
  constexpr int ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18;
  __builtin_cpu_init();
  uint32_t eax, ebx, ecx, edx;
  if (!__builtin_cpu_supports("avx512bw") || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) ||
      (edx & AMX_BF16) == 0 || (edx & AMX_TILE) == 0) {
    return 0;
  }
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
}

// Rounds rows of floats (rows,depth) to the nearest bfloat16, ties to even, and fills each row up with zeros to a
// multiple of 32 numbers. It needs no AVX-512 BF16, which a virtual machine may hide.
EXPORT AVX512 void lethe_amx_round(
    int64_t rows, int64_t depth, const char* from, int64_t from_row, char* to, int64_t to_row) {
  const Halves upper = {1,  3,  5,  7,  9,  11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31,
                        33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63};
  for (int64_t i = 0; i < rows; i++) {
    const char* source = from + i * from_row;
    char* target = to + i * to_row;
    for (int64_t k = 0; k < depth; k += 32) {
      uint32_t used = depth - k >= 32 ? ~0u : (1u << (depth - k)) - 1;
      Bits low = rounded((Bits)_mm512_maskz_loadu_epi32(used, source + 4 * k));
      Bits high = rounded((Bits)_mm512_maskz_loadu_epi32(used >> 16, source + 4 * k + 64));
      _mm512_storeu_si512(
          target + 2 * k, _mm512_permutex2var_epi16((__m512i)low, (__m512i)upper, (__m512i)high));
    }
  }
}

// As lethe_bf16_multiply, with A from lethe_amx_round.
EXPORT void lethe_amx_multiply(
    int64_t rows, int64_t columns, int64_t depth, const char* a, int64_t a_row, const char* b,
    const char* z, int64_t z_row, char* c, int64_t c_row) {
  alignas(64) char rest[TILE_PAIRS * 2 * TILE_BYTES];
  int64_t pair_bytes = columns > TILE_COLUMNS ? 2 * TILE_BYTES : TILE_BYTES;
  int64_t pairs = (depth + 1) / 2;
  int64_t left = pairs % TILE_PAIRS;
  Right right{pairs / TILE_PAIRS, b, left > 0 ? rest : nullptr};
  if (left > 0) {
    std::memcpy(rest, b + (pairs - left) * pair_bytes, left * pair_bytes);
    std::memset(rest + left * pair_bytes, 0, (TILE_PAIRS - left) * pair_bytes);
    written(rest);
  }
  auto multiply = columns > TILE_COLUMNS ? panel<2> : panel<1>;
  multiply(rows, columns, a, a_row, right, z, z_row, c, c_row);
}
