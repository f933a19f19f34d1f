// One LoRA gradient per sequence: G_i = sum over the rows t of sequence i of narrow_t (x) wide_t, where for A narrow is h
// (N,r) and wide is x (N,in), and for B narrow is u (N,r) and wide is the output's adjoint (N,out).
//
// A block makes 16 ranks by 128 columns of one sequence's gradient in registers, over all its rows, and either stores it or
// keeps no more than its sum of squares. blockIdx.x: tile of columns, blockIdx.y: tile of ranks, blockIdx.z: sequence.
#include "device.cuh"

constexpr int SAMPLE_RANKS = 16;
constexpr int SAMPLE_COLUMNS = 128;  // and threads
constexpr int SAMPLE_ROWS = 32;      // of narrow in shared memory at a time

template <class T>
struct SampleTile {
  float sums[SAMPLE_RANKS];
  int64_t rank0;
  int64_t column;

  DEVICE_MEMBER SampleTile(const int32_t* starts, const T* narrow, const T* wide, int64_t rank, int64_t width)
      : rank0(static_cast<int64_t>(blockIdx.y) * SAMPLE_RANKS),
        column(static_cast<int64_t>(blockIdx.x) * SAMPLE_COLUMNS + threadIdx.x) {
    SHARED_ARRAY(float, rows, SAMPLE_ROWS * SAMPLE_RANKS);
#pragma unroll
    for (int a = 0; a < SAMPLE_RANKS; a++) {
      sums[a] = 0.f;
    }
    int64_t end = starts[blockIdx.z + 1];
    for (int64_t from = starts[blockIdx.z]; from < end; from += SAMPLE_ROWS) {
      __syncthreads();
      for (int i = threadIdx.x; i < SAMPLE_ROWS * SAMPLE_RANKS; i += SAMPLE_COLUMNS) {
        int64_t row = from + i / SAMPLE_RANKS;
        int64_t a = rank0 + i % SAMPLE_RANKS;
        rows[i] = row < end && a < rank ? to_float(narrow[row * rank + a]) : 0.f;
      }
      __syncthreads();
      int count = static_cast<int>(min(int64_t{SAMPLE_ROWS}, end - from));
#pragma unroll 4
      for (int t = 0; t < count; t++) {
        float x = column < width ? to_float(wide[(from + t) * width + column]) : 0.f;
#pragma unroll
        for (int a = 0; a < SAMPLE_RANKS; a++) {
          sums[a] = fmaf(rows[t * SAMPLE_RANKS + a], x, sums[a]);
        }
      }
    }
  }
};

// g (n,P) at rank * rank_stride + column * column_stride = factor * G_i
template <class T>
DEVICE void lora_sample_gradients(const int32_t* starts, const T* narrow, const T* wide, float* g, int64_t g_batch,
                                  int64_t rank_stride, int64_t column_stride, int64_t rank, int64_t width,
                                  float factor) {
  SampleTile<T> tile(starts, narrow, wide, rank, width);
  if (tile.column < width) {
    int ranks = static_cast<int>(min(int64_t{SAMPLE_RANKS}, rank - tile.rank0));
    float* target = g + blockIdx.z * g_batch + tile.rank0 * rank_stride + tile.column * column_stride;
#pragma unroll
    for (int a = 0; a < SAMPLE_RANKS; a++) {
      if (a < ranks) {
        target[a * rank_stride] = factor * tile.sums[a];
      }
    }
  }
}

// parts (n, gridDim.y, gridDim.x) = the tile's sum of squares
template <class T>
DEVICE void lora_sample_squares(const int32_t* starts, const T* narrow, const T* wide, float* parts, int64_t rank,
                                int64_t width) {
  SHARED_ARRAY(float, squares, SAMPLE_COLUMNS / WARP);
  SampleTile<T> tile(starts, narrow, wide, rank, width);
  float sum = 0.f;
#pragma unroll
  for (int a = 0; a < SAMPLE_RANKS; a++) {
    sum = fmaf(tile.sums[a], tile.sums[a], sum);
  }
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(ALL_LANES, sum, offset);
  }
  if (threadIdx.x % WARP == 0) {
    squares[threadIdx.x / WARP] = sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    parts[(blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] =
        squares[0] + squares[1] + squares[2] + squares[3];
  }
}

// norms (n) += factor * the sum of parts (n,count), in order; one thread a sequence
DEVICE void lora_sample_norms(const float* parts, float* norms, int64_t samples, int64_t count, float factor) {
  int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < samples) {
    float sum = 0.f;
    for (int64_t part = 0; part < count; part++) {
      sum += parts[i * count + part];
    }
    norms[i] += factor * sum;
  }
}

KERNEL(lora_sample_gradients, (128),
       (const int32_t* starts, const T* narrow, const T* wide, float* g, int64_t g_batch, int64_t rank_stride,
        int64_t column_stride, int64_t rank, int64_t width, float factor),
       (starts, narrow, wide, g, g_batch, rank_stride, column_stride, rank, width, factor))
KERNEL(lora_sample_squares, (128),
       (const int32_t* starts, const T* narrow, const T* wide, float* parts, int64_t rank, int64_t width),
       (starts, narrow, wide, parts, rank, width))
EXPORT_KERNEL(lora_sample_norms, (128), float,
              (const T* parts, T* norms, int64_t samples, int64_t count, float factor),
              ::lora_sample_norms(parts, norms, samples, count, factor))
