// Arithmetic on flat float32 vectors of n elements. Sums are made in double: each block leaves one, in an order that
// n and the grid fix, and the caller adds those up.
#include "optimizer.cuh"
#include "reduce.cuh"

// x = value
DEVICE void vector_fill(float* x, float value, int64_t n) {
  each_piece<float>(n, aligned_16(x), [=](auto width, int64_t i) { store(x + i, filled<width.value>(value)); });
}

// x = a x
DEVICE void vector_scale(float a, float* x, int64_t n) {
  each_piece<float>(n, aligned_16(x), [=](auto width, int64_t i) {
    constexpr int W = width.value;
    Piece<W> v = load<W>(x + i);
    store(x + i, each<W>([&](int e) { return a * v.v[e]; }));
  });
}

// y = a x + b y
DEVICE void vector_axpby(float a, const float* x, float b, float* y, int64_t n) {
  each_piece<float>(n, aligned_16(x, y), [=](auto width, int64_t i) {
    constexpr int W = width.value;
    store(y + i, axpby(a, load<W>(x + i), b, load<W>(y + i)));
  });
}

DEVICE void leave_sum(double sum, double* of_block) {
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    of_block[blockIdx.x] = sum;
  }
}

// Sums of x y: products of two floats are exact in double.
DEVICE void vector_dot(const float* x, const float* y, double* of_block, int64_t n) {
  double sum = 0;
  each_piece<float>(n, aligned_16(x, y), [&](auto width, int64_t i) {
    constexpr int W = width.value;
    Piece<W> u = load<W>(x + i);
    Piece<W> v = load<W>(y + i);
#pragma unroll
    for (int e = 0; e < W; e++) {
      sum += static_cast<double>(u.v[e]) * static_cast<double>(v.v[e]);
    }
  });
  leave_sum(sum, of_block);
}

// How many elements are infinite or no number.
DEVICE void vector_not_finite(const float* x, double* of_block, int64_t n) {
  int count = 0;
  each_piece<float>(n, aligned_16(x), [&](auto width, int64_t i) {
    constexpr int W = width.value;
    Piece<W> v = load<W>(x + i);
#pragma unroll
    for (int e = 0; e < W; e++) {
      count += (__float_as_uint(v.v[e]) & 0x7f800000u) == 0x7f800000u;
    }
  });
  leave_sum(count, of_block);
}

EXPORT_KERNEL(vector_fill, (256), float, (T * x, float value, int64_t n), ::vector_fill(x, value, n))
EXPORT_KERNEL(vector_scale, (256), float, (float a, T* x, int64_t n), ::vector_scale(a, x, n))
EXPORT_KERNEL(vector_axpby, (256), float, (float a, const T* x, float b, T* y, int64_t n),
              ::vector_axpby(a, x, b, y, n))
EXPORT_KERNEL(vector_dot, (256), float, (const T* x, const T* y, double* of_block, int64_t n),
              ::vector_dot(x, y, of_block, n))
EXPORT_KERNEL(vector_not_finite, (256), float, (const T* x, double* of_block, int64_t n),
              ::vector_not_finite(x, of_block, n))
