// What LoRA makes of the outputs' adjoints, which are read once for both: h = y B and the gradient y^T u of B, for the
// layers of a group; in tangents each is the sum of two terms, h' = y' B + y B' and y'^T u + y^T u'. N rows, y (N,O), u (N,R),
// B beside the group's weights (O,R); O and R are the sums of the layers' outputs and ranks, at most 32 a layer.
//
// A block has LORA_COLUMNS outputs of one layer and a part of the rows. It leaves its share of h and of B's gradient, which
// lora_adjoint_sum adds in order: h_parts (column tiles,N,width), b_parts (row parts,O,width), width the largest rank.
// blockIdx.x: column tile, those of the first layer first; blockIdx.y: part of the rows.
#include "elements.cuh"
#include "gemm_bf16.cuh"
#include "lora_group.cuh"

// One term's matrices from where a block's layer begins in them.
struct LoraAdjointTerm {
  GemmOperand<bf16> y;
  GemmOperand<bf16> u;
  GemmOperand<bf16> b;
};

// A block's sums of TERMS terms.
template <int TERMS>
struct LoraAdjointBlock {
  static constexpr int THREADS = 256;
  static constexpr int WARPS = THREADS / WARP;
  static constexpr int ROWS = GEMM_DEPTH;  // of a tile
  static constexpr int RANKS = 32;
  static constexpr int WARP_COLUMNS = LORA_COLUMNS / WARPS;
  static constexpr int DOWN = ROWS / 16;            // fragments along the rows
  static constexpr int ALONG = WARP_COLUMNS / 16;   // fragments along this warp's columns
  static constexpr int ACROSS = RANKS / 8;          // sums along the ranks
  using YTile = Bf16Tile<LORA_COLUMNS, false, THREADS>;  // (ROWS,LORA_COLUMNS)
  using UTile = Bf16Tile<RANKS, false, THREADS>;         // (ROWS,RANKS)
  using BTile = Bf16Tile<LORA_COLUMNS, true, THREADS>;   // (LORA_COLUMNS,RANKS)
  static constexpr int ELEMENTS = YTile::ELEMENTS + UTile::ELEMENTS;  // of a buffer; there are two
  static_assert(BTile::ELEMENTS <= 2 * ELEMENTS, "B passes through both buffers");
  static_assert(WARPS * ROWS * RANKS * sizeof(float) <= YTile::ELEMENTS * sizeof(bf16), "h of all warps fits into a tile");

  const LoraTile& tile;
  bf16* buffers;
  uint32_t b[TERMS][ALONG][RANKS / 16][4];
  float b_sums[ALONG][ACROSS][4];
  float h_sums[DOWN][ACROSS][4];

  DEVICE_MEMBER LoraAdjointBlock(const LoraTile& of, bf16* shared) : tile(of), buffers(shared) {
    clear(b_sums);
    clear(h_sums);
  }

  static DEVICE_MEMBER int first_column() { return threadIdx.x / WARP * WARP_COLUMNS; }

  // Brings B's rows for this warp's columns to registers, where they stay.
  DEVICE_MEMBER void load_b(const LoraAdjointTerm (&terms)[2]) {
#pragma unroll
    for (int term = 0; term < TERMS; term++) {
      BTile::load(buffers, terms[term].b, tile.column, tile.outs, 0, tile.rank);
      copy_async_commit();
      copy_async_wait<0>();
      __syncthreads();
#pragma unroll
      for (int i = 0; i < ALONG; i++) {
        const bf16* row = buffers + (first_column() + 16 * i + threadIdx.x % 16) * BTile::STRIDE;
#pragma unroll
        for (int j = 0; j < RANKS / 16; j++) {
          load_matrices_transposed(b[term][i][j], row + 16 * j + threadIdx.x % WARP / 16 * 8);
        }
      }
      __syncthreads();
    }
  }

  // Starts loading rows row.. of y and u.
  DEVICE_MEMBER void load(int buffer, const LoraAdjointTerm& term, int64_t row, int64_t rows) {
    bf16* y_tile = buffers + buffer * ELEMENTS;
    YTile::load(y_tile, term.y, tile.column, tile.outs, row, rows);
    UTile::load(y_tile + YTile::ELEMENTS, term.u, 0, tile.rank, row, rows);
  }

  // Adds what a buffer gives with B of the term.
  template <int TERM>
  DEVICE_MEMBER void add(int buffer) {
    const bf16* y_tile = buffers + buffer * ELEMENTS;
#pragma unroll
    for (int down = 0; down < DOWN; down++) {
      uint32_t u[RANKS / 16][4];
#pragma unroll
      for (int j = 0; j < RANKS / 16; j++) {
        UTile::template fragments<false>(u[j], y_tile + YTile::ELEMENTS, 16 * j, 16 * down);
      }
#pragma unroll
      for (int i = 0; i < ALONG; i++) {
        int column = first_column() + 16 * i;
        uint32_t rows_first[4];
        uint32_t columns_first[4];
        load_matrices(rows_first, y_tile + (16 * down + threadIdx.x % 16) * YTile::STRIDE + column +
                                      threadIdx.x % WARP / 16 * 8);
        YTile::template fragments<true>(columns_first, y_tile, column, 16 * down);
#pragma unroll
        for (int j = 0; j < ACROSS; j++) {
          uint32_t of_b[2] = {b[TERM][i][j / 2][j % 2 * 2], b[TERM][i][j / 2][j % 2 * 2 + 1]};
          uint32_t of_u[2] = {u[j / 2][j % 2 * 2], u[j / 2][j % 2 * 2 + 1]};
          mma_bf16(h_sums[down][j], rows_first, of_b);
          mma_bf16(b_sums[i][j], columns_first, of_u);
        }
      }
    }
  }

  // target (rows,width) = the sum of all warps' h, by way of a buffer that nobody reads any more; begins anew.
  DEVICE_MEMBER void store_h(int buffer, float* target, int64_t rows, int64_t width) {
    float* of_warps = reinterpret_cast<float*>(buffers + buffer * ELEMENTS);
    float* own = of_warps + threadIdx.x / WARP * ROWS * RANKS;
#pragma unroll
    for (int down = 0; down < DOWN; down++) {
#pragma unroll
      for (int j = 0; j < ACROSS; j++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
          int row = 16 * down + threadIdx.x % WARP / 4 + 8 * half;
          store_two(own + row * RANKS + 8 * j + threadIdx.x % 4 * 2,
                    {h_sums[down][j][2 * half], h_sums[down][j][2 * half + 1]});
        }
      }
    }
    clear(h_sums);
    __syncthreads();
    for (int i = threadIdx.x; i < ROWS * RANKS; i += THREADS) {
      int rank = i % RANKS;
      float sum = 0.f;
#pragma unroll
      for (int warp = 0; warp < WARPS; warp++) {
        sum += of_warps[warp * ROWS * RANKS + i];
      }
      if (i / RANKS < rows && rank < tile.rank) {
        target[i / RANKS * width + rank] = sum;
      }
    }
    __syncthreads();
  }

  // target (outputs of the layer,width), this block's columns of them.
  DEVICE_MEMBER void store_b(float* target, int64_t width) const {
#pragma unroll
    for (int i = 0; i < ALONG; i++) {
#pragma unroll
      for (int j = 0; j < ACROSS; j++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          int64_t column = tile.column + first_column() + 16 * i + threadIdx.x % WARP / 4 + e / 2 * 8;
          int rank = 8 * j + threadIdx.x % 4 * 2 + e % 2;
          if (column < tile.outs && rank < tile.rank) {
            target[column * width + rank] = b_sums[i][j][e];
          }
        }
      }
    }
  }

 private:
  template <int MANY>
  static DEVICE_MEMBER void clear(float (&sums)[MANY][ACROSS][4]) {
#pragma unroll
    for (int i = 0; i < MANY * ACROSS * 4; i++) {
      sums[i / 4 / ACROSS][i / 4 % ACROSS][i % 4] = 0.f;
    }
  }
};

// y, u and b are the first term's, other_y, other_u and other_b the second's, which counts where TERMS is 2.
template <int TERMS>
DEVICE void lora_adjoint(const bf16* y, int64_t y_stride, const bf16* u, int64_t u_stride, const bf16* b,
                         const bf16* other_y, int64_t other_y_stride, const bf16* other_u, int64_t other_u_stride,
                         const bf16* other_b, int64_t b_stride, float* h_parts, float* b_parts, int64_t rows, int64_t width,
                         const LoraGroup& group) {
  using Block = LoraAdjointBlock<TERMS>;
  DYNAMIC_SHARED(bf16, shared);
  LoraTile tile(group, blockIdx.x);
  int64_t of_b = tile.first_out * b_stride + tile.first_rank;
  const LoraAdjointTerm terms[2] = {
      {{y, y_stride, tile.first_out}, {u, u_stride, tile.first_rank}, {b, b_stride, of_b}},
      {{other_y, other_y_stride, tile.first_out}, {other_u, other_u_stride, tile.first_rank}, {other_b, b_stride, of_b}}};
  int64_t tiles = (rows + Block::ROWS - 1) / Block::ROWS;
  int64_t share = (tiles + gridDim.y - 1) / gridDim.y;
  int64_t begin = min(tiles, blockIdx.y * share);
  int64_t end = min(tiles, begin + share);

  Block block(tile, shared);
  block.load_b(terms);
  auto buffer = [](int64_t at, int term) { return static_cast<int>((at * TERMS + term) % 2); };
  auto load = [&](int64_t at, auto term) {
    constexpr int TERM = decltype(term)::value;
    if (at < end) {
      block.load(buffer(at, TERM), terms[TERM], at * Block::ROWS, rows);
    }
    copy_async_commit();
  };
  auto work = [&](int64_t at, auto term) {
    constexpr int TERM = decltype(term)::value;
    constexpr bool LAST = TERM == TERMS - 1;
    load(LAST ? at + 1 : at, Width<LAST ? 0 : TERM + 1>());
    copy_async_wait<1>();
    __syncthreads();
    block.template add<TERM>(buffer(at, TERM));
    __syncthreads();
    if constexpr (LAST) {
      int64_t row = at * Block::ROWS;
      block.store_h(buffer(at, TERM), h_parts + (blockIdx.x * rows + row) * width, rows - row, width);
    }
  };
  load(begin, Width<0>());
  for (int64_t at = begin; at < end; at++) {
    work(at, Width<0>());
    if constexpr (TERMS == 2) {
      work(at, Width<1>());
    }
  }
  block.store_b(b_parts + (blockIdx.y * LoraGroup::sum(group.outs) + tile.first_out) * width, width);
}

// h (N,R) = h_factor times the sum of its parts, rows `h_stride` apart, with those of `beside` (N,R) behind, which may be
// null; g (P) += g_factor times the sums of B's gradients' parts.
DEVICE void lora_adjoint_sum(const float* h_parts, const float* b_parts, bf16* h, int64_t h_stride, const bf16* beside,
                             int64_t beside_stride, float* g, int64_t rows, int64_t width, int64_t row_parts,
                             float h_factor, float g_factor, const LoraGroup& group) {
  int64_t outs = LoraGroup::sum(group.outs);
  int64_t ranks = LoraGroup::sum(group.ranks);
  for (int64_t i = first_element(); i < rows * ranks + outs * width; i += grid_elements()) {
    float sum = 0.f;
    if (i < rows * ranks) {
      int64_t row = i / ranks;
      int64_t column = i - row * ranks;
      int64_t rank = column;
      int layer = LoraGroup::find(group.ranks, rank);
      int64_t first = LoraTile::before(group, layer);
      int64_t end = first + LoraTile::count(group, layer);
      for (int64_t part = first; part < end; part++) {
        sum += h_parts[(part * rows + row) * width + rank];
      }
      h[row * h_stride + column] = round_bf16(h_factor * sum);
      if (beside != nullptr) {
        h[row * h_stride + ranks + column] = beside[row * beside_stride + column];
      }
    } else {
      int64_t at = i - rows * ranks;
      int64_t out = at / width;
      int64_t rank = at - out * width;
      int layer = LoraGroup::find(group.outs, out);
      int64_t own_ranks = LoraGroup::of(group.ranks, layer);
      if (rank < own_ranks) {
        for (int64_t part = 0; part < row_parts; part++) {
          sum += b_parts[part * outs * width + at];
        }
        g[LoraGroup::of(group.b_offsets, layer) + out * own_ranks + rank] += g_factor * sum;
      }
    }
  }
}

EXPORT_KERNEL(lora_adjoint_bf16, (LoraAdjointBlock<1>::THREADS, 1), bf16,
              (const T* y, int64_t y_stride, const T* u, int64_t u_stride, const T* b, int64_t b_stride, float* h_parts,
               float* b_parts, int64_t rows, int64_t width, GROUP_PARAMETERS),
              (::lora_adjoint<1>(y, y_stride, u, u_stride, b, y, y_stride, u, u_stride, b, b_stride, h_parts, b_parts, rows,
                                 width, GROUP)))
EXPORT_KERNEL(lora_adjoint_tangent_bf16, (LoraAdjointBlock<2>::THREADS, 1), bf16,
              (const T* dy, int64_t dy_stride, const T* u, int64_t u_stride, const T* b, const T* y, int64_t y_stride,
               const T* du, int64_t du_stride, const T* db, int64_t b_stride, float* h_parts, float* b_parts, int64_t rows,
               int64_t width, GROUP_PARAMETERS),
              (::lora_adjoint<2>(dy, dy_stride, u, u_stride, b, y, y_stride, du, du_stride, db, b_stride, h_parts, b_parts,
                                 rows, width, GROUP)))
EXPORT_KERNEL(lora_adjoint_sum_bf16, (256), bf16,
              (const float* h_parts, const float* b_parts, T* h, int64_t h_stride, const T* beside,
               int64_t beside_stride, float* g, int64_t rows, int64_t width, int64_t row_parts, float h_factor,
               float g_factor, GROUP_PARAMETERS),
              (::lora_adjoint_sum(h_parts, b_parts, h, h_stride, beside, beside_stride, g, rows, width, row_parts,
                                  h_factor, g_factor, GROUP)))
