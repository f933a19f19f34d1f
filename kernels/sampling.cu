// The next token from logits.
#include "row_pieces.cuh"

// Orders a row's elements: greater ones above, of equals the first. NaN is below all.
DEVICE uint64_t rank_of(float x, int index) {
  uint32_t bits = __float_as_uint(x + 0.f);  // -0 is 0
  uint32_t ascending = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  uint64_t high = x == x ? ascending : 0;
  return high << 32 | ~static_cast<uint32_t>(index);
}

template <class T, int W>
DEVICE uint64_t greatest_rank(const T* z, int v) {
  uint64_t best = 0;
  each_in_row<W>(v, [&](int i) {
    Piece<W> x = load<W>(z + i);
#pragma unroll
    for (int e = 0; e < W; e++) {
      best = greater(best, rank_of(x.v[e], i + e));
    }
  });
  return block_max(best);
}

// ids (rows): where row i of z (rows,v) is greatest, first of equals. A block a row.
template <class T>
DEVICE void sampling_likeliest(const T* z, int32_t* ids, int64_t v) {
  const T* row = z + blockIdx.x * v;
  bool packed = v % PACK<T> == 0 && aligned_16(z);
  uint64_t best = packed ? greatest_rank<T, PACK<T>>(row, v) : greatest_rank<T, 1>(row, v);
  if (threadIdx.x == 0) {
    ids[blockIdx.x] = static_cast<int32_t>(~static_cast<uint32_t>(best));
  }
}

KERNEL(sampling_likeliest, (1024), (const T* z, int32_t* ids, int64_t v), (z, ids, v))
