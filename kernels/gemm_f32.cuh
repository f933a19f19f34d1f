// A block's tile of a product of float32 matrices: 256 threads with 4 by 4 sums each, fused multiply-adds in the order
// of the depth.
#pragma once

#include "gemm.cuh"

template <int ROWS, int COLUMNS, bool A_TRANSPOSED, bool B_TRANSPOSED>
struct F32Block {
  static constexpr int HEIGHT = ROWS;
  static constexpr int WIDTH = COLUMNS;
  static constexpr int THREADS = 256;
  static constexpr int BLOCKS = 2;  // of a multiprocessor at least
  static constexpr int PAD = 4;  // floats behind each row of a tile in shared memory
  static_assert(ROWS * COLUMNS == 16 * THREADS, "16 sums a thread");

  GemmPlace place;
  int thread_row;
  int thread_column;
  float sums[4][4];

  explicit DEVICE_MEMBER F32Block(GemmPlace where)
      : place(where),
        thread_row(threadIdx.x / (COLUMNS / 4) * 4),
        thread_column(threadIdx.x % (COLUMNS / 4) * 4) {
#pragma unroll
    for (int i = 0; i < 16; i++) {
      sums[i / 4][i % 4] = 0.f;
    }
  }

  // Adds the products of both pairs over these tiles of depth.
  DEVICE_MEMBER void multiply(const GemmPair<float>& first, const GemmPair<float>& second, GemmDepth depth) {
    SHARED_ARRAY(float, a_tile, GEMM_DEPTH*(ROWS + PAD));
    SHARED_ARRAY(float, b_tile, GEMM_DEPTH*(COLUMNS + PAD));
    for (int64_t tile = depth.begin; tile < depth.end; tile++) {
      bool in_first = tile < depth.first_tiles;
      GemmPair<float> pair = GemmPair<float>::either(in_first, first, second);
      int64_t from = (in_first ? tile : tile - depth.first_tiles) * GEMM_DEPTH;
      __syncthreads();
      load<ROWS, !A_TRANSPOSED>(a_tile, pair.a, place.row, place.rows, from, pair.depth);
      load<COLUMNS, B_TRANSPOSED>(b_tile, pair.b, place.column, place.columns, from, pair.depth);
      __syncthreads();
      add(a_tile + thread_row, b_tile + thread_column);
    }
  }

  // use(row, column, sum, sum of the next column) for every second sum of this thread, those beyond C included.
  template <class USE>
  DEVICE_MEMBER void each(const USE& use) const {
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
      for (int j = 0; j < 4; j += 2) {
        use(place.row + thread_row + i, place.column + thread_column + j, sums[i][j], sums[i][j + 1]);
      }
    }
  }

 private:
  // Rows first.. of `rows` at depth from.. of `depth` into tile (GEMM_DEPTH, LENGTH + PAD); beyond the matrix: 0.
  // ALONG: whether the depth is what runs along a stored row.
  template <int LENGTH, bool ALONG>
  static DEVICE_MEMBER void load(float* tile, const GemmOperand<float>& x, int64_t first, int64_t rows, int64_t from,
                                 int64_t depth) {
    for (int i = threadIdx.x; i < LENGTH * GEMM_DEPTH; i += THREADS) {
      int d = ALONG ? i % GEMM_DEPTH : i / LENGTH;
      int r = ALONG ? i / GEMM_DEPTH : i % LENGTH;
      bool inside = first + r < rows && from + d < depth;
      int64_t at = ALONG ? (first + r) * x.stride + from + d : (from + d) * x.stride + first + r;
      tile[d * (LENGTH + PAD) + r] = inside ? x.data[at] : 0.f;
    }
  }

  DEVICE_MEMBER void add(const float* a_tile, const float* b_tile) {
#pragma unroll 8
    for (int d = 0; d < GEMM_DEPTH; d++) {
      float4 left = *reinterpret_cast<const float4*>(a_tile + d * (ROWS + PAD));
      float4 right = *reinterpret_cast<const float4*>(b_tile + d * (COLUMNS + PAD));
      float l[4] = {left.x, left.y, left.z, left.w};
      float r[4] = {right.x, right.y, right.z, right.w};
#pragma unroll
      for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
          sums[i][j] = fmaf(l[i], r[j], sums[i][j]);
        }
      }
    }
  }
};

template <bool A_TRANSPOSED, bool B_TRANSPOSED>
using SquareF32 = F32Block<64, 64, A_TRANSPOSED, B_TRANSPOSED>;
template <bool A_TRANSPOSED, bool B_TRANSPOSED>
using FlatF32 = F32Block<32, 128, A_TRANSPOSED, B_TRANSPOSED>;
template <bool A_TRANSPOSED, bool B_TRANSPOSED>
using TallF32 = F32Block<128, 32, A_TRANSPOSED, B_TRANSPOSED>;
