// Attention on tensor cores: tiles of rows of one head in shared memory, and products of them. A block of 4 warps has 64
// rows of its own side, 16 a warp, and goes through the other side in tiles of ROWS rows.
//
// In what a warp holds of a product (16,ROWS) or a sum (16,D), with g = lane/4 and t = lane%4: x[j][e] is row
// g + 8 (e/2), column 8 j + 2 t + e%2.
#pragma once

#include "attention.cuh"

constexpr int OWN_ROWS = 64;
constexpr int TILE_THREADS = 128;

// A tile of ROWS rows of a head of D elements: chunks of 8 elements change places within a row, so that load_matrices meets
// no bank twice.
template <int ROWS, int D>
struct HeadTile {
  static constexpr int CHUNKS = D / 8;
  static constexpr int SHARED_ROWS = CHUNKS >= 8 ? 1 : 8 / CHUNKS;  // rows that lie in one line of banks
  static constexpr int ELEMENTS = ROWS * D;

  static DEVICE_MEMBER int offset(int row, int element) {
    int chunk = (element / 8) ^ (row / SHARED_ROWS % (CHUNKS < 8 ? CHUNKS : 8));
    return row * D + chunk * 8;
  }

  // Starts loading rows 0.. of `source`, `stride` elements apart; rows from `count` on become 0.
  static DEVICE_MEMBER void load(bf16* tile, const bf16* source, int64_t stride, int64_t count, bool aligned) {
    for (int i = threadIdx.x; i < ROWS * CHUNKS; i += TILE_THREADS) {
      int row = i / CHUNKS;
      int element = i % CHUNKS * 8;
      bool inside = row < count;
      const bf16* from = source + (inside ? row * stride + element : 0);
      bf16* to = tile + offset(row, element);
      if (aligned) {
        copy_async_16(to, from, inside ? 16 : 0);
      } else {
#pragma unroll
        for (int e = 0; e < 8; e++) {
          to[e] = inside ? from[e] : round_bf16(0.f);
        }
      }
    }
  }

  // A of mma: rows row.. (16) and elements element.. (16).
  static DEVICE_MEMBER void left(uint32_t (&m)[4], const bf16* tile, int row, int element) {
    int lane = threadIdx.x % WARP;
    load_matrices(m, tile + offset(row + lane % 16, element + lane / 16 * 8));
  }

  // B of two mmas, transposed: columns are rows row.. (16), depth is elements element.. (16).
  static DEVICE_MEMBER void right_transposed(uint32_t (&m)[4], const bf16* tile, int row, int element) {
    int lane = threadIdx.x % WARP;
    load_matrices(m, tile + offset(row + lane / 16 * 8 + lane % 8, element + lane / 8 % 2 * 8));
  }

  // B of two mmas: depth is rows row.. (16), columns are elements element.. (16).
  static DEVICE_MEMBER void right(uint32_t (&m)[4], const bf16* tile, int row, int element) {
    int lane = threadIdx.x % WARP;
    load_matrices_transposed(m, tile + offset(row + lane % 16, element + lane / 16 * 8));
  }
};

template <int COLUMNS>
DEVICE void clear(float (&x)[COLUMNS][4]) {
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      x[j][e] = 0.f;
    }
  }
}

// s (16,ROWS) += own rows of the warp (16,D) times other (ROWS,D)^T
template <int ROWS, int D>
DEVICE void add_dots(float (&s)[ROWS / 8][4], const bf16* own, const bf16* other) {
  int row = threadIdx.x / WARP * 16;
#pragma unroll
  for (int element = 0; element < D; element += 16) {
    uint32_t a[4];
    HeadTile<OWN_ROWS, D>::left(a, own, row, element);
#pragma unroll
    for (int j = 0; j < ROWS / 16; j++) {
      uint32_t b[4];
      HeadTile<ROWS, D>::right_transposed(b, other, 16 * j, element);
      uint32_t first[2] = {b[0], b[1]};
      uint32_t second[2] = {b[2], b[3]};
      mma_bf16(s[2 * j], a, first);
      mma_bf16(s[2 * j + 1], a, second);
    }
  }
}

// sums (16,D) += weights (16,ROWS) times other (ROWS,D)
template <int ROWS, int D>
DEVICE void add_weighted(float (&sums)[D / 8][4], const float (&weights)[ROWS / 8][4], const bf16* other) {
#pragma unroll
  for (int i = 0; i < ROWS / 16; i++) {
    uint32_t a[4] = {pack_bf16(weights[2 * i][0], weights[2 * i][1]), pack_bf16(weights[2 * i][2], weights[2 * i][3]),
                     pack_bf16(weights[2 * i + 1][0], weights[2 * i + 1][1]),
                     pack_bf16(weights[2 * i + 1][2], weights[2 * i + 1][3])};
#pragma unroll
    for (int j = 0; j < D / 16; j++) {
      uint32_t b[4];
      HeadTile<ROWS, D>::right(b, other, 16 * i, 16 * j);
      uint32_t first[2] = {b[0], b[1]};
      uint32_t second[2] = {b[2], b[3]};
      mma_bf16(sums[2 * j], a, first);
      mma_bf16(sums[2 * j + 1], a, second);
    }
  }
}

// Row of the block's own tile that x[.][e] of this lane belongs to.
DEVICE int own_row(int e) { return threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4 + e / 2 * 8; }

// Row of the other side's tile that x[j][e] of this lane belongs to.
DEVICE int other_row(int j, int e) { return 8 * j + threadIdx.x % WARP % 4 * 2 + e % 2; }

// Rows 0.. of target (N,heads,D) at one head = factor * sums, those below `count`.
template <int D>
DEVICE void store_rows(bf16* target, int64_t stride, int64_t count, const float (&sums)[D / 8][4], float upper,
                       float lower) {
#pragma unroll
  for (int j = 0; j < D / 8; j++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      if (own_row(e) < count) {
        target[own_row(e) * stride + other_row(j, e)] = round_bf16((e < 2 ? upper : lower) * sums[j][e]);
      }
    }
  }
}

// The tile that this block has: a sequence and its first row there. Tiles come with the latest rows first.
struct OwnTile {
  AttentionSequence sequence;
  int64_t first;

  DEVICE_MEMBER OwnTile(const int32_t* tiles, int64_t index, const int32_t* query_starts, const int32_t* key_starts,
                        int64_t window)
      : sequence(query_starts, key_starts, tiles[2 * index], window), first(tiles[2 * index + 1]) {}
};

// The sum of x over the four lanes that hold a row.
DEVICE float sum_of_row(float x) {
  x += __shfl_xor_sync(ALL_LANES, x, 1);
  return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

DEVICE float max_of_row(float x) {
  x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
  return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}
