// A block's tile of a product of bfloat16 matrices, on tensor cores with float32 sums. Operand tiles go through a ring
// of buffers in shared memory by asynchronous copies, or by plain loads where a matrix is not aligned to 16 bytes.
#pragma once

#include "gemm.cuh"

// A tile of op(A) or op(B) in shared memory as it is stored in memory: ROWS by GEMM_DEPTH where the depth runs ALONG a
// stored row, GEMM_DEPTH by ROWS otherwise.
template <int ROWS, bool ALONG, int THREADS>
struct Bf16Tile {
  static constexpr int PAD = 8;  // elements behind each row: no bank conflicts in load_matrices
  static constexpr int HEIGHT = ALONG ? ROWS : GEMM_DEPTH;
  static constexpr int WIDTH = ALONG ? GEMM_DEPTH : ROWS;
  static constexpr int STRIDE = WIDTH + PAD;
  static constexpr int ELEMENTS = HEIGHT * STRIDE;

  // Starts loading rows first.. of `rows` at depth from.. of `depth`; what is beyond becomes 0.
  static DEVICE_MEMBER void load(bf16* tile, const GemmOperand<bf16>& x, int64_t first, int64_t rows, int64_t from,
                                 int64_t depth) {
    int64_t top = ALONG ? first : from;
    int64_t left = ALONG ? from : first;
    int64_t height = ALONG ? rows : depth;
    int64_t width = ALONG ? depth : rows;
#pragma unroll
    for (int i = threadIdx.x; i < HEIGHT * WIDTH / 8; i += THREADS) {
      int r = i / (WIDTH / 8);
      int c = i % (WIDTH / 8) * 8;
      int64_t inside = top + r < height ? max(int64_t{0}, min(int64_t{8}, width - left - c)) : 0;
      const bf16* source = inside == 0 ? x.data : x.data + (top + r) * x.stride + left + c;
      bf16* target = tile + r * STRIDE + c;
      if (x.aligned) {
        copy_async_16(target, source, static_cast<int>(inside) * 2);
      } else {
        for (int e = 0; e < 8; e++) {
          target[e] = e < inside ? source[e] : round_bf16(0.f);
        }
      }
    }
  }

  // The fragments of the 16 by 16 block at (row,d): quarters 0 to 3 with rows first if ROWS_FIRST, the depth first
  // otherwise.
  template <bool ROWS_FIRST>
  static DEVICE_MEMBER void fragments(uint32_t (&m)[4], const bf16* tile, int row, int d) {
    int lane = threadIdx.x % WARP;
    int in_rows = (ROWS_FIRST ? lane / 8 % 2 : lane / 16) * 8;
    int in_depth = (ROWS_FIRST ? lane / 16 : lane / 8 % 2) * 8;
    if constexpr (ALONG) {
      load_matrices(m, tile + (row + in_rows + lane % 8) * STRIDE + d + in_depth);
    } else {
      load_matrices_transposed(m, tile + (d + in_depth + lane % 8) * STRIDE + row + in_rows);
    }
  }
};

// ROWS by COLUMNS sums in the registers of WARPS_DOWN by WARPS_ACROSS warps; BUFFERS - 1 tiles are on their way at a
// time. Needs BUFFERS * (ATile::ELEMENTS + BTile::ELEMENTS) elements of dynamic shared memory.
template <int ROWS, int COLUMNS, int WARPS_DOWN, int WARPS_ACROSS, int BUFFERS, bool A_TRANSPOSED, bool B_TRANSPOSED>
struct Bf16Block {
  static constexpr int HEIGHT = ROWS;
  static constexpr int WIDTH = COLUMNS;
  static constexpr int THREADS = WARP * WARPS_DOWN * WARPS_ACROSS;
  static constexpr int BLOCKS = 512 / THREADS;  // of a multiprocessor at least, so that a thread has 128 registers
  static constexpr int WARP_ROWS = ROWS / WARPS_DOWN;
  static constexpr int WARP_COLUMNS = COLUMNS / WARPS_ACROSS;
  static constexpr int DOWN = WARP_ROWS / 16;    // fragments of A
  static constexpr int ACROSS = WARP_COLUMNS / 8;  // fragments of B
  using ATile = Bf16Tile<ROWS, !A_TRANSPOSED, THREADS>;
  using BTile = Bf16Tile<COLUMNS, B_TRANSPOSED, THREADS>;
  static_assert(WARP_ROWS % 16 == 0 && WARP_COLUMNS % 16 == 0, "whole 16 by 16 blocks");

  GemmPlace place;
  int warp_row;
  int warp_column;
  float sums[DOWN][ACROSS][4];

  explicit DEVICE_MEMBER Bf16Block(GemmPlace where)
      : place(where),
        warp_row(threadIdx.x / WARP / WARPS_ACROSS * WARP_ROWS),
        warp_column(threadIdx.x / WARP % WARPS_ACROSS * WARP_COLUMNS) {
#pragma unroll
    for (int i = 0; i < DOWN * ACROSS * 4; i++) {
      sums[i / 4 / ACROSS][i / 4 % ACROSS][i % 4] = 0.f;
    }
  }

  // Adds the products of both pairs over these tiles of depth.
  DEVICE_MEMBER void multiply(const GemmPair<bf16>& first, const GemmPair<bf16>& second, GemmDepth depth) {
    DYNAMIC_SHARED(bf16, a_tiles);
    bf16* b_tiles = a_tiles + BUFFERS * ATile::ELEMENTS;
    auto load = [&](int64_t tile, int buffer) {
      if (tile < depth.end) {
        bool in_first = tile < depth.first_tiles;
        GemmPair<bf16> pair = GemmPair<bf16>::either(in_first, first, second);
        int64_t from = (in_first ? tile : tile - depth.first_tiles) * GEMM_DEPTH;
        ATile::load(a_tiles + buffer * ATile::ELEMENTS, pair.a, place.row, place.rows, from, pair.depth);
        BTile::load(b_tiles + buffer * BTile::ELEMENTS, pair.b, place.column, place.columns, from, pair.depth);
      }
      copy_async_commit();
    };
#pragma unroll
    for (int i = 0; i < BUFFERS - 1; i++) {
      load(depth.begin + i, i);
    }
    int buffer = 0;
    for (int64_t tile = depth.begin; tile < depth.end; tile++) {
      copy_async_wait<BUFFERS - 2>();
      __syncthreads();
      load(tile + BUFFERS - 1, buffer == 0 ? BUFFERS - 1 : buffer - 1);
      add(a_tiles + buffer * ATile::ELEMENTS, b_tiles + buffer * BTile::ELEMENTS);
      buffer = buffer == BUFFERS - 1 ? 0 : buffer + 1;
    }
  }

  // use(row, column, sum, sum of the next column) for every second sum of this thread, those beyond C included.
  template <class USE>
  DEVICE_MEMBER void each(const USE& use) const {
    int lane = threadIdx.x % WARP;
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
#pragma unroll
      for (int j = 0; j < ACROSS; j++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
          int64_t row = place.row + warp_row + 16 * i + lane / 4 + 8 * half;
          int64_t column = place.column + warp_column + 8 * j + 2 * (lane % 4);
          use(row, column, sums[i][j][2 * half], sums[i][j][2 * half + 1]);
        }
      }
    }
  }

 private:
  DEVICE_MEMBER void add(const bf16* a_tile, const bf16* b_tile) {
#pragma unroll
    for (int d = 0; d < GEMM_DEPTH; d += 16) {
      uint32_t left[DOWN][4];
      uint32_t right[ACROSS / 2][4];
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
        ATile::template fragments<true>(left[i], a_tile, warp_row + 16 * i, d);
      }
#pragma unroll
      for (int j = 0; j < ACROSS / 2; j++) {
        BTile::template fragments<false>(right[j], b_tile, warp_column + 16 * j, d);
      }
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
#pragma unroll
        for (int j = 0; j < ACROSS; j++) {
          uint32_t pair[2] = {right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]};
          mma_bf16(sums[i][j], left[i], pair);
        }
      }
    }
  }
};

// The shapes in use: large products, small ones, and those with few rows or few columns, which wait for memory.
template <bool A_TRANSPOSED, bool B_TRANSPOSED>
using WideBf16 = Bf16Block<128, 128, 2, 4, 3, A_TRANSPOSED, B_TRANSPOSED>;
template <bool A_TRANSPOSED, bool B_TRANSPOSED>
using SquareBf16 = Bf16Block<64, 64, 2, 2, 3, A_TRANSPOSED, B_TRANSPOSED>;
template <bool A_TRANSPOSED, bool B_TRANSPOSED>
using FlatBf16 = Bf16Block<32, 128, 1, 4, 5, A_TRANSPOSED, B_TRANSPOSED>;
template <bool A_TRANSPOSED, bool B_TRANSPOSED>
using TallBf16 = Bf16Block<128, 32, 4, 1, 5, A_TRANSPOSED, B_TRANSPOSED>;
