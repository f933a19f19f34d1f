// Matrix products in float32: tiles of 64 by 64, 256 threads with 4 by 4 sums each, fused multiply-adds in the order of
// the depth. See gemm.cuh.
#include "gemm.cuh"

constexpr int F32_TILE = 64;
constexpr int F32_ROW = F32_TILE + 4;  // floats of a row of a tile in shared memory

// Rows first..first+63 of op(A) (or columns of op(B)) at depth from..from+31 into tile[depth][row]; beyond the matrix: 0.
// ALONG: whether the depth is what runs along a stored row.
template <bool ALONG>
DEVICE void load_f32_tile(float* tile, GemmOperand<float> x, int64_t first, int64_t rows, int64_t from, int64_t depth) {
  for (int i = threadIdx.x; i < F32_TILE * GEMM_DEPTH; i += 256) {
    int d = ALONG ? i % GEMM_DEPTH : i / F32_TILE;
    int r = ALONG ? i / GEMM_DEPTH : i % F32_TILE;
    bool inside = first + r < rows && from + d < depth;
    int64_t at = ALONG ? (first + r) * x.stride + from + d : (from + d) * x.stride + first + r;
    tile[d * F32_ROW + r] = inside ? x.data[at] : 0.f;
  }
}

template <bool A_TRANSPOSED, bool B_TRANSPOSED>
DEVICE void gemm_f32(GemmOperand<float> a, GemmOperand<float> b, GemmOperand<float> a2, GemmOperand<float> b2,
                     GemmResult<float> result, int64_t m, int64_t n, int64_t k, int64_t k2, int64_t splits) {
  SHARED_ARRAY(float, a_tile, GEMM_DEPTH * F32_ROW);
  SHARED_ARRAY(float, b_tile, GEMM_DEPTH * F32_ROW);
  int64_t column_tiles = (n + F32_TILE - 1) / F32_TILE;
  int64_t row0 = blockIdx.x / column_tiles * F32_TILE;
  int64_t column0 = blockIdx.x % column_tiles * F32_TILE;
  int ty = threadIdx.x / 16;
  int tx = threadIdx.x % 16;
  float sums[4][4] = {};
  GemmDepth depth(k, k2, splits);
  for (int64_t tile = depth.begin; tile < depth.end; tile++) {
    bool second = tile >= depth.first_tiles;
    int64_t from = (second ? tile - depth.first_tiles : tile) * GEMM_DEPTH;
    __syncthreads();
    load_f32_tile<!A_TRANSPOSED>(a_tile, second ? a2 : a, row0, m, from, second ? k2 : k);
    load_f32_tile<B_TRANSPOSED>(b_tile, second ? b2 : b, column0, n, from, second ? k2 : k);
    __syncthreads();
    for (int d = 0; d < GEMM_DEPTH; d++) {
      float4 left = *reinterpret_cast<const float4*>(a_tile + d * F32_ROW + 4 * ty);
      float4 right = *reinterpret_cast<const float4*>(b_tile + d * F32_ROW + 4 * tx);
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
#pragma unroll
  for (int i = 0; i < 4; i++) {
#pragma unroll
    for (int j = 0; j < 4; j++) {
      int64_t row = row0 + 4 * ty + i;
      int64_t column = column0 + 4 * tx + j;
      if (row < m && column < n) {
        result.store(row, column, sums[i][j]);
      }
    }
  }
}

#define GEMM_F32(NAME, A_TRANSPOSED, B_TRANSPOSED)                                                                    \
  EXPORT_KERNEL(NAME, (256), float,                                                                                   \
                (const T* a, int64_t a_stride, int64_t a_batch, const T* b, int64_t b_stride, int64_t b_batch,         \
                 const T* a2, int64_t a2_stride, int64_t a2_batch, const T* b2, int64_t b2_stride, int64_t b2_batch,   \
                 T* c, int64_t c_stride, int64_t c_batch, float* partial, int64_t m, int64_t n, int64_t k, int64_t k2, \
                 int64_t splits, float alpha, float beta),                                                            \
                (gemm_f32<A_TRANSPOSED, B_TRANSPOSED>(                                                                \
                    {a, a_stride, a_batch}, {b, b_stride, b_batch}, {a2, a2_stride, a2_batch},                        \
                    {b2, b2_stride, b2_batch}, {c, c_stride, c_batch, partial, m, n, splits, alpha, beta}, m, n, k,   \
                    k2, splits)))

GEMM_F32(gemm_nn_f32, false, false)
GEMM_F32(gemm_nt_f32, false, true)
GEMM_F32(gemm_tn_f32, true, false)
GEMM_F32(gemm_tt_f32, true, true)
