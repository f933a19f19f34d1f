// What LoRA needs beside matrix products. N token rows, rank r, k directions; parameters are float32, activations of
// type T.
#include "elements.cuh"
#include "lora_group.cuh"

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

// Writes factor times the pairs of a group beside and below its weights (O,in), whose rows are `stride` apart, O and R the
// sums of outs and ranks: columns in.. of a layer's rows get its B in its R columns and zeros in the others', rows O.. get
// A. Those of theta (P) first, then those of the direction v (P), if there is one.
template <class T>
DEVICE void lora_border(const float* theta, const float* v, T* weight, int64_t stride, int64_t in, float factor,
                        const LoraGroup& group) {
  int64_t outs = LoraGroup::sum(group.outs);
  int64_t ranks = LoraGroup::sum(group.ranks);
  int64_t half = ranks * (outs + in);
  for (int64_t i = first_element(); i < (v == nullptr ? 1 : 2) * half; i += grid_elements()) {
    bool direction = i >= half;
    const float* source = direction ? v : theta;
    int64_t inside = direction ? i - half : i;
    int64_t shift = direction ? ranks : 0;
    if (inside < outs * ranks) {
      int64_t row = inside / ranks;
      int64_t column = inside - row * ranks;
      T* target = weight + row * stride + in + shift + column;
      int of_row = LoraGroup::find(group.outs, row);
      bool own = LoraGroup::find(group.ranks, column) == of_row;
      *target = from_float<T>(
          own ? factor * source[LoraGroup::of(group.b_offsets, of_row) + row * LoraGroup::of(group.ranks, of_row) + column]
              : 0.f);
    } else {
      int64_t row = (inside - outs * ranks) / in;
      int64_t column = inside - outs * ranks - row * in;
      T* target = weight + (outs + shift + row) * stride + column;
      int of_row = LoraGroup::find(group.ranks, row);
      *target = from_float<T>(factor * source[LoraGroup::of(group.a_offsets, of_row) + row * in + column]);
    }
  }
}

// g (k,P) += factor times the gradients of a group's pairs, of which a is (k,R,in) and b (k,O,R) with what is a layer's own on
// its diagonal; b may be null.
DEVICE void lora_add_gradients(const float* a, const float* b, float* g, int64_t length, int64_t k, int64_t in,
                               float factor, const LoraGroup& group) {
  int64_t outs = LoraGroup::sum(group.outs);
  int64_t ranks = LoraGroup::sum(group.ranks);
  int64_t size = ranks * (b == nullptr ? in : outs + in);
  for (int64_t i = first_element(); i < k * size; i += grid_elements()) {
    int64_t direction = i / size;
    int64_t inside = i - direction * size;
    float* target = g + direction * length;
    if (inside < ranks * in) {
      int64_t row = inside / in;
      int64_t column = inside - row * in;
      int layer = LoraGroup::find(group.ranks, row);
      target[LoraGroup::of(group.a_offsets, layer) + row * in + column] += factor * a[direction * ranks * in + inside];
    } else {
      int64_t at = inside - ranks * in;
      int64_t row = at / ranks;
      int64_t column = at - row * ranks;
      int layer = LoraGroup::find(group.outs, row);
      if (LoraGroup::find(group.ranks, column) == layer) {
        target[LoraGroup::of(group.b_offsets, layer) + row * LoraGroup::of(group.ranks, layer) + column] +=
            factor * b[direction * outs * ranks + at];
      }
    }
  }
}

// y (k,N,2r) = [first (k,N,r) | second (N,r)], their rows their strides apart; n = k N, per = N
template <class T>
DEVICE void lora_join(const T* first, int64_t first_stride, const T* second, int64_t second_stride, T* y, int64_t n,
                      int64_t per, int64_t rank) {
  for (int64_t i = first_element(); i < n * 2 * rank; i += grid_elements()) {
    int64_t row = i / (2 * rank);
    int64_t column = i % (2 * rank);
    y[i] = column < rank ? first[row * first_stride + column] : second[row % per * second_stride + column - rank];
  }
}

// y (N,D) += bias (D); rows of y `stride` apart
template <class T>
DEVICE void lora_bias(const T* bias, T* y, int64_t rows, int64_t width, int64_t stride) {
  for (int64_t i = first_element(); i < rows * width; i += grid_elements()) {
    T* target = y + i / width * stride + i % width;
    *target = from_float<T>(to_float(*target) + to_float(bias[i % width]));
  }
}

// y (k,N,r) = weights (k,n) of the row's sequence * x (N,r), rows of x `stride` apart; sequences (N)
template <class T>
DEVICE void lora_weigh_rows(const float* weights, const int32_t* sequences, const T* x, T* y, int64_t rows,
                            int64_t rank, int64_t stride, int64_t samples, int64_t k) {
  for (int64_t i = first_element(); i < k * rows * rank; i += grid_elements()) {
    int64_t j = i / (rows * rank);
    int64_t row = i / rank % rows;
    y[i] = from_float<T>(weights[j * samples + sequences[row]] * to_float(x[row * stride + i % rank]));
  }
}

// dots (k,n) += factor * sum over the rows t of the sequence of h_t . q_t + u_t . p_t, with q = x V_A^T and p = y V_B
// (k,N,r); rows of h and u are their strides apart. blockIdx.x: sequence, blockIdx.y: direction.
template <class T>
DEVICE void lora_sample_dots(const int32_t* starts, const T* h, int64_t h_stride, const T* u, int64_t u_stride,
                             const float* q, const float* p, float* dots, int64_t rows, int64_t rank, int64_t samples,
                             float factor) {
  SHARED_ARRAY(float, sums, 4);
  int64_t sequence = blockIdx.x;
  int64_t begin = starts[sequence] * rank;
  int64_t end = starts[sequence + 1] * rank;
  int64_t direction = blockIdx.y * rows * rank;
  float sum = 0.f;
  for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    int64_t row = i / rank;
    int64_t column = i - row * rank;
    sum = fmaf(to_float(h[row * h_stride + column]), q[direction + i], sum);
    sum = fmaf(to_float(u[row * u_stride + column]), p[direction + i], sum);
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
KERNEL(lora_border, (256),
       (const float* theta, const float* v, T* weight, int64_t stride, int64_t in, float factor, GROUP_PARAMETERS),
       (theta, v, weight, stride, in, factor, GROUP))
EXPORT_KERNEL(lora_add_gradients, (256), float,
              (const T* a, const T* b, T* g, int64_t length, int64_t k, int64_t in, float factor, GROUP_PARAMETERS),
              (::lora_add_gradients(a, b, g, length, k, in, factor, GROUP)))
KERNEL(lora_join, (256),
       (const T* first, int64_t first_stride, const T* second, int64_t second_stride, T* y, int64_t n, int64_t per,
        int64_t rank),
       (first, first_stride, second, second_stride, y, n, per, rank))
KERNEL(lora_bias, (256), (const T* bias, T* y, int64_t rows, int64_t width, int64_t stride),
       (bias, y, rows, width, stride))
KERNEL(lora_weigh_rows, (256),
       (const float* weights, const int32_t* sequences, const T* x, T* y, int64_t rows, int64_t rank, int64_t stride,
        int64_t samples, int64_t k),
       (weights, sequences, x, y, rows, rank, stride, samples, k))
KERNEL(lora_sample_dots, (128),
       (const int32_t* starts, const T* h, int64_t h_stride, const T* u, int64_t u_stride, const float* q,
        const float* p, float* dots, int64_t rows, int64_t rank, int64_t samples, float factor),
       (starts, h, h_stride, u, u_stride, q, p, dots, rows, rank, samples, factor))
