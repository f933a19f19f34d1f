// What the matrix products of both types share. C (m,n) = alpha (A B + A2 B2) + beta C, row-major, for each entry
// of a batch; A2 B2 is a second pair of operands of depth k2 in the same layouts, or absent with k2 = 0.
//
// blockIdx.x is the tile of C, column tiles fastest; blockIdx.y the part of the depth where it is split; blockIdx.z
// the entry of the batch. Where the depth is split, parts go to `partial` (batch,splits,m,n) and gemm_reduce
// adds them in order.
#pragma once

#include "device.cuh"

constexpr int GEMM_DEPTH = 32;  // of a tile, in both types

// A matrix of the batch: element (row,column) at row * stride + column, of the stored matrix.
template <class T>
struct GemmOperand {
  const T* data;
  int64_t stride;

  DEVICE_MEMBER GemmOperand(const T* start, int64_t row_stride, int64_t batch_stride)
      : data(start + blockIdx.z * batch_stride), stride(row_stride) {}
};

// The tiles of depth that one block covers: those of the first pair, then those of the second.
struct GemmDepth {
  int64_t first_tiles;
  int64_t begin;
  int64_t end;

  DEVICE_MEMBER GemmDepth(int64_t k, int64_t k2, int64_t splits) {
    first_tiles = (k + GEMM_DEPTH - 1) / GEMM_DEPTH;
    int64_t tiles = first_tiles + (k2 + GEMM_DEPTH - 1) / GEMM_DEPTH;
    int64_t share = (tiles + splits - 1) / splits;
    begin = min(tiles, blockIdx.y * share);
    end = min(tiles, begin + share);
  }
};

// Where a block's numbers go.
template <class C>
struct GemmResult {
  C* c;
  float* partial;
  int64_t stride;
  int64_t columns;
  float alpha;
  float beta;

  DEVICE_MEMBER GemmResult(C* matrices, int64_t row_stride, int64_t batch_stride, float* partials, int64_t m, int64_t n,
                           int64_t splits, float product_factor, float old_factor)
      : c(matrices + blockIdx.z * batch_stride),
        partial(splits == 1 ? nullptr : partials + (blockIdx.z * splits + blockIdx.y) * m * n),
        stride(row_stride),
        columns(n),
        alpha(product_factor),
        beta(old_factor) {}

  DEVICE_MEMBER void store(int64_t row, int64_t column, float sum) const {
    if (partial != nullptr) {
      partial[row * columns + column] = sum;
      return;
    }
    C& target = c[row * stride + column];
    float old = beta == 0.f ? 0.f : beta * to_float(target);
    target = from_float<C>(alpha * sum + old);
  }
};
