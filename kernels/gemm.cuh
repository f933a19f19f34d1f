// What the matrix products of both types share. C (m,n) = alpha (A B + A2 B2) + beta C, row-major, for each entry
// of a batch; A2 B2 is a second pair of operands of depth k2 in the same layouts, or absent with k2 = 0.
//
// blockIdx.x is the tile of C, column tiles fastest; blockIdx.y the part of the depth where it is split; blockIdx.z
// the entry of the batch. Where the depth is split, parts go to `partial` (batch,splits,m,n) and gemm_reduce
// adds them in order.
#pragma once

#include "device.cuh"

constexpr int GEMM_DEPTH = 32;  // of a tile, in both types

// A stored matrix: element (row,column) at row * stride + column.
template <class T>
struct GemmOperand {
  const T* data;
  int64_t stride;
  bool aligned;  // every row begins at a multiple of 16 bytes

  DEVICE_MEMBER GemmOperand(const T* start, int64_t row_stride, int64_t offset)
      : data(start + offset),
        stride(row_stride),
        aligned(reinterpret_cast<uintptr_t>(data) % 16 == 0 && row_stride * sizeof(T) % 16 == 0) {}
};

// op(A) and op(B) and the depth that they share.
template <class T>
struct GemmPair {
  GemmOperand<T> a;
  GemmOperand<T> b;
  int64_t depth;

  // One of two by value: a reference to either would move both out of registers.
  static DEVICE_MEMBER GemmPair either(bool first, const GemmPair& x, const GemmPair& y) {
    return {{first ? x.a.data : y.a.data, first ? x.a.stride : y.a.stride, 0},
            {first ? x.b.data : y.b.data, first ? x.b.stride : y.b.stride, 0},
            first ? x.depth : y.depth};
  }
};

// Where a block's tile begins in C (rows,columns).
struct GemmPlace {
  int64_t row;
  int64_t column;
  int64_t rows;
  int64_t columns;

  // Tile number `tile` of those of this size, column tiles fastest.
  static DEVICE_MEMBER GemmPlace of(int64_t tile, int height, int width, int64_t rows, int64_t columns) {
    int64_t across = (columns + width - 1) / width;
    return {tile / across * height, tile % across * width, rows, columns};
  }
};

// The tiles of depth that one block covers: those of the first pair, then those of the second.
struct GemmDepth {
  int64_t first_tiles;
  int64_t begin;
  int64_t end;

  DEVICE_MEMBER GemmDepth(int64_t k, int64_t k2, int64_t part, int64_t parts) {
    first_tiles = (k + GEMM_DEPTH - 1) / GEMM_DEPTH;
    int64_t tiles = first_tiles + (k2 + GEMM_DEPTH - 1) / GEMM_DEPTH;
    int64_t share = (tiles + parts - 1) / parts;
    begin = min(tiles, part * share);
    end = min(tiles, begin + share);
  }
};

DEVICE float2 load_two(const float* x) { return *reinterpret_cast<const float2*>(x); }

DEVICE float2 load_two(const bf16* x) {
  uint32_t both = *reinterpret_cast<const uint32_t*>(x);
  return {__uint_as_float(both << 16), __uint_as_float(both & 0xffff0000u)};
}

DEVICE void store_two(float* x, float2 v) { *reinterpret_cast<float2*>(x) = v; }
DEVICE void store_two(bf16* x, float2 v) { *reinterpret_cast<uint32_t*>(x) = pack_bf16(v.x, v.y); }

// Where a block's sums go: C, or this block's part of them.
template <class C>
struct GemmResult {
  C* c;
  float* partial;
  int64_t stride;
  int64_t rows;
  int64_t columns;
  float alpha;
  float beta;
  bool in_twos;

  DEVICE_MEMBER GemmResult(C* matrices, int64_t row_stride, int64_t batch_stride, float* partials, int64_t m,
                           int64_t n, int64_t splits, float product_factor, float old_factor)
      : c(matrices + blockIdx.z * batch_stride),
        partial(splits == 1 ? nullptr : partials + (blockIdx.z * splits + blockIdx.y) * m * n),
        stride(row_stride),
        rows(m),
        columns(n),
        alpha(product_factor),
        beta(old_factor),
        in_twos(splits == 1 ? reinterpret_cast<uintptr_t>(c) % (2 * sizeof(C)) == 0 && row_stride % 2 == 0
                            : n % 2 == 0) {}

  // The sums of an even column and the next.
  DEVICE_MEMBER void operator()(int64_t row, int64_t column, float first, float second) const {
    if (row >= rows || column >= columns) {
      return;
    }
    if (in_twos && column + 1 < columns) {
      if (partial != nullptr) {
        store_two(partial + row * columns + column, {first, second});
      } else {
        C* target = c + row * stride + column;
        float2 old = beta == 0.f ? float2{0.f, 0.f} : load_two(target);
        store_two(target, {alpha * first + beta * old.x, alpha * second + beta * old.y});
      }
      return;
    }
    one(row, column, first);
    if (column + 1 < columns) {
      one(row, column + 1, second);
    }
  }

 private:
  DEVICE_MEMBER void one(int64_t row, int64_t column, float sum) const {
    if (partial != nullptr) {
      partial[row * columns + column] = sum;
      return;
    }
    C& target = c[row * stride + column];
    float old = beta == 0.f ? 0.f : beta * to_float(target);
    target = from_float<C>(alpha * sum + old);
  }
};

// A whole product by blocks of shape BLOCK.
template <class BLOCK, class T, class C>
DEVICE void gemm(GemmPair<T> first, GemmPair<T> second, GemmResult<C> result, int64_t splits) {
  BLOCK block(GemmPlace::of(blockIdx.x, BLOCK::HEIGHT, BLOCK::WIDTH, result.rows, result.columns));
  block.multiply(first, second, GemmDepth(first.depth, second.depth, blockIdx.y, splits));
  block.each(result);
}

// Exports gemm<BLOCK, T, C> as NAME; BLOCK in parentheses.
#define GEMM_UNWRAP(...) __VA_ARGS__
#define GEMM_KERNEL(NAME, BLOCK, TYPE, C)                                                                             \
  EXPORT_KERNEL(NAME, (GEMM_UNWRAP BLOCK::THREADS, GEMM_UNWRAP BLOCK::BLOCKS), TYPE,                                  \
                (const T* a, int64_t a_stride, int64_t a_batch, const T* b, int64_t b_stride, int64_t b_batch,         \
                 const T* a2, int64_t a2_stride, int64_t a2_batch, const T* b2, int64_t b2_stride, int64_t b2_batch,   \
                 C* c, int64_t c_stride, int64_t c_batch, float* partial, int64_t m, int64_t n, int64_t k, int64_t k2, \
                 int64_t splits, float alpha, float beta),                                                            \
                (gemm<GEMM_UNWRAP BLOCK, T, C>(                                                                       \
                    {{a, a_stride, blockIdx.z * a_batch}, {b, b_stride, blockIdx.z * b_batch}, k},                    \
                    {{a2, a2_stride, blockIdx.z * a2_batch}, {b2, b2_stride, blockIdx.z * b2_batch}, k2},             \
                    {c, c_stride, c_batch, partial, m, n, splits, alpha, beta}, splits)))

// The layouts of SHAPE, a template of whether A and whether B is transposed; a product of two transposes is none.
#define GEMM_KERNELS(SUFFIX, SHAPE, TYPE, C)                    \
  GEMM_KERNEL(gemm_nn_##SUFFIX, (SHAPE<false, false>), TYPE, C) \
  GEMM_KERNEL(gemm_nt_##SUFFIX, (SHAPE<false, true>), TYPE, C)  \
  GEMM_KERNEL(gemm_tn_##SUFFIX, (SHAPE<true, false>), TYPE, C)
