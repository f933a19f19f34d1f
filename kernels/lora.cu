// What LoRA needs beside matrix products. N token rows, rank r, k directions; parameters are float32, activations of
// type T.
#include "elements.cuh"

// Takes one adapter out of the flat parameters theta (P), its directions out of v (k,P), or both; the other is null.
//
// plain: the matrix of plain_size elements at plain_offset, of theta and then of each direction.
// scaled: factor times the matrix (rows,columns) at scaled_offset, of theta or of each direction; where both are there,
// (k,2,rows,columns) with theta's beside or above the direction's: its rows `stride` and the two `half` elements apart.
template <class T>
DEVICE void lora_adapter(const float* theta, const float* v, int64_t length, int64_t k, T* plain, int64_t plain_offset,
                         int64_t plain_size, T* scaled, int64_t scaled_offset, int64_t rows, int64_t columns,
                         int64_t stride, int64_t half, float factor) {
  int64_t own = theta == nullptr ? 0 : 1;
  int64_t parts = own == 1 && k > 0 ? 2 : 1;
  int64_t size = rows * columns;
  int64_t plain_end = (own + k) * plain_size;
  int64_t end = plain_end + max(k, int64_t{1}) * parts * size;
  for (int64_t i = first_element(); i < end; i += grid_elements()) {
    if (i < plain_end) {
      int64_t matrix = i / plain_size;
      const float* source = matrix < own ? theta : v + (matrix - own) * length;
      plain[i] = from_float<T>(source[plain_offset + i % plain_size]);
    } else {
      int64_t matrix = (i - plain_end) / size;
      int64_t inside = (i - plain_end) % size;
      int64_t part = matrix % parts;
      const float* source = part < own ? theta : v + matrix / parts * length;
      int64_t at = matrix / parts * parts * size + part * half + inside / columns * stride + inside % columns;
      scaled[at] = from_float<T>(factor * source[scaled_offset + inside]);
    }
  }
}

// y (k,N,2r) = [first (k,N,r) | second (N,r)]; n = k N, per = N
template <class T>
DEVICE void lora_join(const T* first, const T* second, T* y, int64_t n, int64_t per, int64_t rank) {
  for (int64_t i = first_element(); i < n * 2 * rank; i += grid_elements()) {
    int64_t row = i / (2 * rank);
    int64_t column = i % (2 * rank);
    y[i] = column < rank ? first[row * rank + column] : second[row % per * rank + column - rank];
  }
}

// y (N,D) += bias (D)
template <class T>
DEVICE void lora_bias(const T* bias, T* y, int64_t rows, int64_t width) {
  for (int64_t i = first_element(); i < rows * width; i += grid_elements()) {
    y[i] = from_float<T>(to_float(y[i]) + to_float(bias[i % width]));
  }
}

// y (k,N,r) = weights (k,n) of the row's sequence * x (N,r); sequences (N)
template <class T>
DEVICE void lora_weigh_rows(const float* weights, const int32_t* sequences, const T* x, T* y, int64_t rows,
                            int64_t rank, int64_t samples, int64_t k) {
  for (int64_t i = first_element(); i < k * rows * rank; i += grid_elements()) {
    int64_t j = i / (rows * rank);
    int64_t inside = i % (rows * rank);
    y[i] = from_float<T>(weights[j * samples + sequences[inside / rank]] * to_float(x[inside]));
  }
}

// dots (k,n) += factor * sum over the rows t of the sequence of h_t . q_t + u_t . p_t, with q = x V_A^T and p = y V_B
// (k,N,r). blockIdx.x: sequence, blockIdx.y: direction.
template <class T>
DEVICE void lora_sample_dots(const int32_t* starts, const T* h, const T* u, const float* q, const float* p, float* dots,
                             int64_t rows, int64_t rank, int64_t samples, float factor) {
  SHARED_ARRAY(float, sums, 4);
  int64_t sequence = blockIdx.x;
  int64_t begin = starts[sequence] * rank;
  int64_t end = starts[sequence + 1] * rank;
  int64_t direction = blockIdx.y * rows * rank;
  float sum = 0.f;
  for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    sum = fmaf(to_float(h[i]), q[direction + i], sum);
    sum = fmaf(to_float(u[i]), p[direction + i], sum);
  }
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(ALL_LANES, sum, offset);
  }
  if (threadIdx.x % WARP == 0) {
    sums[threadIdx.x / WARP] = sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    dots[blockIdx.y * samples + sequence] += factor * (sums[0] + sums[1] + sums[2] + sums[3]);
  }
}

KERNEL(lora_adapter, (256),
       (const float* theta, const float* v, int64_t length, int64_t k, T* plain, int64_t plain_offset,
        int64_t plain_size, T* scaled, int64_t scaled_offset, int64_t rows, int64_t columns, int64_t stride,
        int64_t half, float factor),
       (theta, v, length, k, plain, plain_offset, plain_size, scaled, scaled_offset, rows, columns, stride, half,
        factor))
KERNEL(lora_join, (256), (const T* first, const T* second, T* y, int64_t n, int64_t per, int64_t rank),
       (first, second, y, n, per, rank))
KERNEL(lora_bias, (256), (const T* bias, T* y, int64_t rows, int64_t width), (bias, y, rows, width))
KERNEL(lora_weigh_rows, (256),
       (const float* weights, const int32_t* sequences, const T* x, T* y, int64_t rows, int64_t rank, int64_t samples,
        int64_t k),
       (weights, sequences, x, y, rows, rank, samples, k))
KERNEL(lora_sample_dots, (128),
       (const int32_t* starts, const T* h, const T* u, const float* q, const float* p, float* dots, int64_t rows,
        int64_t rank, int64_t samples, float factor),
       (starts, h, u, q, p, dots, rows, rank, samples, factor))
