// One LoRA gradient per sequence: G_i = narrow_i^T wide_i over the rows of sequence i, where for A narrow is h (N,r) and
// wide is x (N,in), and for B narrow is u (N,r) and wide is the output's adjoint (N,out). Rows are their strides apart.
//
// A block makes one tile of one sequence's gradient in registers, over all its rows, and either stores it or keeps no
// more than its sum of squares. blockIdx.x: sequence, then tile of ranks, then tile of columns.
#include "gemm_bf16.cuh"
#include "gemm_f32.cuh"

template <class T>
using SampleBlock = std::conditional_t<std::is_same_v<T, float>, FlatF32<true, false>, FlatBf16<true, false>>;

// use(rank, column, sum, sum of the next column) for this block's tile of G_i; sums beyond G_i are 0.
template <class T, class USE>
DEVICE void lora_sample_sums(const int32_t* starts, int64_t sequence, int64_t tile, const T* narrow,
                             int64_t narrow_stride, const T* wide, int64_t wide_stride, int64_t rank, int64_t width,
                             const USE& use) {
  using Block = SampleBlock<T>;
  int64_t begin = starts[sequence];
  GemmPair<T> rows{{narrow, narrow_stride, begin * narrow_stride},
                      {wide, wide_stride, begin * wide_stride},
                      starts[sequence + 1] - begin};
  Block block(GemmPlace::of(tile, Block::HEIGHT, Block::WIDTH, rank, width));
  block.multiply(rows, rows, GemmDepth(rows.depth, 0, 0, 1));
  block.each(use);
}

// g (n,P) at rank * rank_stride + column * column_stride = factor * G_i; tiles of each sequence
template <class T>
DEVICE void lora_sample_gradients(const int32_t* starts, const T* narrow, int64_t narrow_stride, const T* wide,
                                  int64_t wide_stride, float* g, int64_t g_batch, int64_t rank_stride, int64_t column_stride, int64_t rank, int64_t width,
                                  int64_t tiles, float factor) {
  int64_t sequence = blockIdx.x / tiles;
  float* target = g + sequence * g_batch;
  lora_sample_sums(starts, sequence, blockIdx.x % tiles, narrow, narrow_stride, wide, wide_stride, rank, width,
                   [&](int64_t a, int64_t column, float first, float second) {
                     int64_t at = a * rank_stride + column * column_stride;
                     if (a < rank && column < width) {
                       target[at] = factor * first;
                     }
                     if (a < rank && column + 1 < width) {
                       target[at + column_stride] = factor * second;
                     }
                   });
}

// parts (n,tiles) = the tile's sum of squares
template <class T>
DEVICE void lora_sample_squares(const int32_t* starts, const T* narrow, int64_t narrow_stride, const T* wide,
                                int64_t wide_stride, float* parts, int64_t rank, int64_t width, int64_t tiles) {
  constexpr int WARPS = SampleBlock<T>::THREADS / WARP;
  SHARED_ARRAY(float, squares, WARPS);
  float sum = 0.f;
  lora_sample_sums(starts, blockIdx.x / tiles, blockIdx.x % tiles, narrow, narrow_stride, wide, wide_stride, rank, width,
                   [&](int64_t, int64_t, float first, float second) {
                     sum = fmaf(first, first, sum);
                     sum = fmaf(second, second, sum);
                   });
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(ALL_LANES, sum, offset);
  }
  if (threadIdx.x % WARP == 0) {
    squares[threadIdx.x / WARP] = sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0.f;
    for (int warp = 0; warp < WARPS; warp++) {
      total += squares[warp];
    }
    parts[blockIdx.x] = total;
  }
}

// norms (n) += factor * the sum of parts (n,tiles), in order; one thread a sequence
DEVICE void lora_sample_norms(const float* parts, float* norms, int64_t samples, int64_t tiles, float factor) {
  int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < samples) {
    float sum = 0.f;
    for (int64_t part = 0; part < tiles; part++) {
      sum += parts[i * tiles + part];
    }
    norms[i] += factor * sum;
  }
}

KERNEL(lora_sample_gradients, (SampleBlock<T>::THREADS, SampleBlock<T>::BLOCKS),
       (const int32_t* starts, const T* narrow, int64_t narrow_stride, const T* wide, int64_t wide_stride, float* g,
        int64_t g_batch, int64_t rank_stride, int64_t column_stride, int64_t rank, int64_t width, int64_t tiles,
        float factor),
       (starts, narrow, narrow_stride, wide, wide_stride, g, g_batch, rank_stride, column_stride, rank, width, tiles, factor))
KERNEL(lora_sample_squares, (SampleBlock<T>::THREADS, SampleBlock<T>::BLOCKS),
       (const int32_t* starts, const T* narrow, int64_t narrow_stride, const T* wide, int64_t wide_stride, float* parts,
        int64_t rank, int64_t width, int64_t tiles),
       (starts, narrow, narrow_stride, wide, wide_stride, parts, rank, width, tiles))
EXPORT_KERNEL(lora_sample_norms, (128), float,
              (const T* parts, T* norms, int64_t samples, int64_t tiles, float factor),
              ::lora_sample_norms(parts, norms, samples, tiles, factor))
