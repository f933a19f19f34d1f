// Products of attention's tiles warp by warp (mma.sync): sm_80 and newer. Each warp reads all of the other side's tile for
// its 16 rows.
#pragma once

#include "attention_tiles.cuh"

// A kernel for each head size, KERNEL(D, SUFFIX, ALIGNED): for rows that begin at multiples of 16 bytes, and for others.
#define TILED_HEADS(KERNEL)      \
  KERNEL(32, , true)             \
  KERNEL(64, , true)             \
  KERNEL(128, , true)            \
  KERNEL(32, _unaligned, false)  \
  KERNEL(64, _unaligned, false)  \
  KERNEL(128, _unaligned, false)

struct WarpProducts {
  static constexpr int OWN_ROWS = 64;
  static constexpr int THREADS = 128;

  // Rows of tiles, as many as the registers allow.
  static constexpr int KEYS_OF_QUERY_GRADIENT = 32;
  static constexpr int QUERIES_OF_128 = 16;

  static DEVICE_MEMBER bf16* shared() {
    DYNAMIC_SHARED(bf16, start);
    return start;
  }

  static DEVICE_MEMBER void show() {}
  template <class... Registers>
  static DEVICE_MEMBER void begin(Registers&...) {}
  template <class... Sums>
  static DEVICE_MEMBER void finish(Sums&...) {}

  // s (16,ROWS) = own rows of the warp (16,D) times other (ROWS,D)^T
  template <int ROWS, int D>
  static DEVICE_MEMBER void dots(float (&s)[ROWS / 8][4], const bf16* own, const bf16* other) {
    clear(s);
    add_dots<ROWS, D>(s, own, other);
  }

  // s (16,ROWS) += own rows of the warp (16,D) times other (ROWS,D)^T
  template <int ROWS, int D>
  static DEVICE_MEMBER void add_dots(float (&s)[ROWS / 8][4], const bf16* own, const bf16* other) {
    int row = threadIdx.x / WARP * 16;
#pragma unroll
    for (int element = 0; element < D; element += 16) {
      uint32_t a[4];
      HeadTile<OWN_ROWS, D, THREADS>::left(a, own, row, element);
#pragma unroll
      for (int j = 0; j < ROWS / 16; j++) {
        uint32_t b[4];
        HeadTile<ROWS, D, THREADS>::right_transposed(b, other, 16 * j, element);
        uint32_t first[2] = {b[0], b[1]};
        uint32_t second[2] = {b[2], b[3]};
        mma_bf16(s[2 * j], a, first);
        mma_bf16(s[2 * j + 1], a, second);
      }
    }
  }

  // sums (16,D) += weights (16,ROWS) times other (ROWS,D)
  template <int ROWS, int D>
  static DEVICE_MEMBER void add_weighted(float (&sums)[D / 8][4], const uint32_t (&weights)[ROWS / 16][4],
                                         const bf16* other) {
#pragma unroll
    for (int i = 0; i < ROWS / 16; i++) {
#pragma unroll
      for (int j = 0; j < D / 16; j++) {
        uint32_t b[4];
        HeadTile<ROWS, D, THREADS>::right(b, other, 16 * i, 16 * j);
        uint32_t first[2] = {b[0], b[1]};
        uint32_t second[2] = {b[2], b[3]};
        mma_bf16(sums[2 * j], weights[i], first);
        mma_bf16(sums[2 * j + 1], weights[i], second);
      }
    }
  }
};
