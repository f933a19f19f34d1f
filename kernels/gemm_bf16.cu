// Matrix products in bfloat16 on tensor cores with float32 sums. See gemm.cuh.
//
// A block of 8 warps makes a tile of 128 by 128 (each warp 64 by 32), or one of 4 warps a tile of 64 by 64 (each 32 by
// 32) where C is small. Operand tiles go through three buffers of shared memory by asynchronous copies, or by
// plain loads where a matrix is not aligned to 16 bytes.
#include "gemm.cuh"

constexpr int BUFFERS = 3;
constexpr int PAD = 8;  // elements behind each row in shared memory: no bank conflicts in load_matrices

// A tile of op(A) or op(B) in shared memory as it is stored in memory: ROWS by GEMM_DEPTH where the depth runs ALONG a
// stored row, GEMM_DEPTH by ROWS otherwise.
template <int ROWS, bool ALONG>
struct Bf16Tile {
  static constexpr int HEIGHT = ALONG ? ROWS : GEMM_DEPTH;
  static constexpr int WIDTH = ALONG ? GEMM_DEPTH : ROWS;
  static constexpr int STRIDE = WIDTH + PAD;
  static constexpr int ELEMENTS = HEIGHT * STRIDE;

  // Starts loading rows first.. of `rows` at depth from.. of `depth`; what is beyond becomes 0.
  static DEVICE_MEMBER void load(bf16* tile, GemmOperand<bf16> x, int64_t first, int64_t rows, int64_t from,
                                 int64_t depth, bool aligned) {
    int64_t top = ALONG ? first : from;
    int64_t left = ALONG ? from : first;
    int64_t height = ALONG ? rows : depth;
    int64_t width = ALONG ? depth : rows;
    for (int i = threadIdx.x; i < HEIGHT * WIDTH / 8; i += blockDim.x) {
      int r = i / (WIDTH / 8);
      int c = i % (WIDTH / 8) * 8;
      int64_t inside = top + r < height ? max(int64_t{0}, min(int64_t{8}, width - left - c)) : 0;
      const bf16* source = inside == 0 ? x.data : x.data + (top + r) * x.stride + left + c;
      bf16* target = tile + r * STRIDE + c;
      if (aligned) {
        copy_async_16(target, source, static_cast<int>(inside) * 2);
      } else {
        for (int e = 0; e < 8; e++) {
          target[e] = e < inside ? source[e] : round_bf16(0.f);
        }
      }
    }
  }

  // The address that this lane gives load_matrices for the 16 by 16 block at (row,d): matrices 0 to 3 are its
  // quarters, rows first if ROWS_FIRST, the depth first otherwise.
  template <bool ROWS_FIRST>
  static DEVICE_MEMBER const bf16* block(const bf16* tile, int row, int d) {
    int lane = threadIdx.x % WARP;
    int in_rows = (ROWS_FIRST ? lane / 8 % 2 : lane / 16) * 8;
    int in_depth = (ROWS_FIRST ? lane / 16 : lane / 8 % 2) * 8;
    return ALONG ? tile + (row + in_rows + lane % 8) * STRIDE + d + in_depth
                 : tile + (d + in_depth + lane % 8) * STRIDE + row + in_rows;
  }

  template <bool ROWS_FIRST>
  static DEVICE_MEMBER void fragments(uint32_t (&m)[4], const bf16* tile, int row, int d) {
    const bf16* address = block<ROWS_FIRST>(tile, row, d);
    if constexpr (ALONG) {
      load_matrices(m, address);
    } else {
      load_matrices_transposed(m, address);
    }
  }
};

template <int TILE, bool A_TRANSPOSED, bool B_TRANSPOSED, class C>
DEVICE void gemm_bf16(GemmOperand<bf16> a, GemmOperand<bf16> b, GemmOperand<bf16> a2, GemmOperand<bf16> b2,
                      GemmResult<C> result, int64_t m, int64_t n, int64_t k, int64_t k2, int64_t splits, bool aligned,
                      bool aligned2) {
  using ATile = Bf16Tile<TILE, !A_TRANSPOSED>;
  using BTile = Bf16Tile<TILE, B_TRANSPOSED>;
  constexpr int WARP_ROWS = TILE / 2;
  constexpr int WARP_COLUMNS = 32;
  constexpr int WARPS_ACROSS = TILE / WARP_COLUMNS;
  DYNAMIC_SHARED(bf16, shared);
  bf16* a_tiles = shared;
  bf16* b_tiles = shared + BUFFERS * ATile::ELEMENTS;

  int64_t column_tiles = (n + TILE - 1) / TILE;
  int64_t row0 = blockIdx.x / column_tiles * TILE;
  int64_t column0 = blockIdx.x % column_tiles * TILE;
  int warp = threadIdx.x / WARP;
  int warp_row = warp / WARPS_ACROSS * WARP_ROWS;
  int warp_column = warp % WARPS_ACROSS * WARP_COLUMNS;
  float sums[WARP_ROWS / 16][WARP_COLUMNS / 8][4] = {};

  GemmDepth depth(k, k2, splits);
  auto load = [&](int64_t tile) {
    if (tile < depth.end) {
      bool second = tile >= depth.first_tiles;
      int64_t from = (second ? tile - depth.first_tiles : tile) * GEMM_DEPTH;
      int buffer = static_cast<int>((tile - depth.begin) % BUFFERS);
      ATile::load(a_tiles + buffer * ATile::ELEMENTS, second ? a2 : a, row0, m, from, second ? k2 : k,
                  second ? aligned2 : aligned);
      BTile::load(b_tiles + buffer * BTile::ELEMENTS, second ? b2 : b, column0, n, from, second ? k2 : k,
                  second ? aligned2 : aligned);
    }
    copy_async_commit();
  };
  load(depth.begin);
  load(depth.begin + 1);
  for (int64_t tile = depth.begin; tile < depth.end; tile++) {
    copy_async_wait<1>();
    __syncthreads();
    load(tile + 2);
    int buffer = static_cast<int>((tile - depth.begin) % BUFFERS);
    const bf16* a_tile = a_tiles + buffer * ATile::ELEMENTS;
    const bf16* b_tile = b_tiles + buffer * BTile::ELEMENTS;
#pragma unroll
    for (int d = 0; d < GEMM_DEPTH; d += 16) {
      uint32_t left[WARP_ROWS / 16][4];
      uint32_t right[WARP_COLUMNS / 16][4];
#pragma unroll
      for (int i = 0; i < WARP_ROWS / 16; i++) {
        ATile::template fragments<true>(left[i], a_tile, warp_row + 16 * i, d);
      }
#pragma unroll
      for (int j = 0; j < WARP_COLUMNS / 16; j++) {
        BTile::template fragments<false>(right[j], b_tile, warp_column + 16 * j, d);
      }
#pragma unroll
      for (int i = 0; i < WARP_ROWS / 16; i++) {
#pragma unroll
        for (int j = 0; j < WARP_COLUMNS / 8; j++) {
          uint32_t pair[2] = {right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]};
          mma_bf16(sums[i][j], left[i], pair);
        }
      }
    }
  }

  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int i = 0; i < WARP_ROWS / 16; i++) {
#pragma unroll
    for (int j = 0; j < WARP_COLUMNS / 8; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        int64_t row = row0 + warp_row + 16 * i + lane / 4 + 8 * (e / 2);
        int64_t column = column0 + warp_column + 8 * j + 2 * (lane % 4) + e % 2;
        if (row < m && column < n) {
          result.store(row, column, sums[i][j][e]);
        }
      }
    }
  }
}

#define GEMM_BF16(NAME, TILE, A_TRANSPOSED, B_TRANSPOSED, C)                                                          \
  EXPORT_KERNEL(NAME, (2 * TILE), bf16,                                                                               \
                (const T* a, int64_t a_stride, int64_t a_batch, const T* b, int64_t b_stride, int64_t b_batch,         \
                 const T* a2, int64_t a2_stride, int64_t a2_batch, const T* b2, int64_t b2_stride, int64_t b2_batch,   \
                 C* c, int64_t c_stride, int64_t c_batch, float* partial, int64_t m, int64_t n, int64_t k, int64_t k2, \
                 int64_t splits, float alpha, float beta, int64_t aligned, int64_t aligned2),                         \
                (gemm_bf16<TILE, A_TRANSPOSED, B_TRANSPOSED, C>(                                                      \
                    {a, a_stride, a_batch}, {b, b_stride, b_batch}, {a2, a2_stride, a2_batch},                        \
                    {b2, b2_stride, b2_batch}, {c, c_stride, c_batch, partial, m, n, splits, alpha, beta}, m, n, k,   \
                    k2, splits, aligned != 0, aligned2 != 0)))

#define GEMM_BF16_LAYOUTS(SUFFIX, TILE, C)                   \
  GEMM_BF16(gemm_nn_##SUFFIX, TILE, false, false, C)         \
  GEMM_BF16(gemm_nt_##SUFFIX, TILE, false, true, C)          \
  GEMM_BF16(gemm_tn_##SUFFIX, TILE, true, false, C)          \
  GEMM_BF16(gemm_tt_##SUFFIX, TILE, true, true, C)

GEMM_BF16_LAYOUTS(wide_bf16, 128, bf16)
GEMM_BF16_LAYOUTS(wide_bf16_to_f32, 128, float)
GEMM_BF16_LAYOUTS(narrow_bf16, 64, bf16)
GEMM_BF16_LAYOUTS(narrow_bf16_to_f32, 64, float)
