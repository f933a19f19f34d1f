// Kernels of WarpgroupEmulatorTest: one product of a warpgroup whose matrices lie in shared memory where tables say, in bytes
// for each element, and whose descriptors are given.
#include "warpgroup.cuh"

DEVICE void place(bf16* shared, const int32_t* places, const bf16* values, int count) {
  for (int i = threadIdx.x; i < count; i += WARPGROUP) {
    shared[places[i] / 2] = values[i];
  }
}

template <int TILES>
DEVICE void write(float* to, const float (&x)[TILES][4]) {
  for (int j = 0; j < TILES; j++) {
    for (int e = 0; e < 4; e++) {
      int row = threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4 + e / 2 * 8;
      to[row * 8 * TILES + 8 * j + threadIdx.x % 4 * 2 + e % 2] = x[j][e];
    }
  }
}

// x (64,64) = A (64,16) B (64,16)^T
DEVICE void probe_rows(const int32_t* a_places, const bf16* a, const int32_t* b_places, const bf16* b, float* x,
                       int64_t a_start, int64_t a_stride, int64_t b_start, int64_t b_stride, int64_t swizzle) {
  SWIZZLED_SHARED(bf16, shared);
  place(shared, a_places, a, 64 * 16);
  place(shared, b_places, b, 64 * 16);
  fence_async_proxy();
  __syncthreads();
  float sums[8][4];
  warpgroup_begin();
  warpgroup_dots<false>(sums, matrix_descriptor(shared, a_start, 16, a_stride, swizzle),
                        matrix_descriptor(shared, b_start, 16, b_stride, swizzle));
  warpgroup_finish(sums);
  write(x, sums);
}

// x (64,128) = A (64,16) B (16,128)
DEVICE void probe_depths(const bf16* a, const int32_t* b_places, const bf16* b, float* x, int64_t b_leading,
                         int64_t b_stride, int64_t swizzle) {
  SWIZZLED_SHARED(bf16, shared);
  place(shared, b_places, b, 16 * 128);
  fence_async_proxy();
  __syncthreads();
  uint32_t weights[4];
  for (int i = 0; i < 4; i++) {
    int row = threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4 + i % 2 * 8;
    const bf16* pair = a + row * 16 + threadIdx.x % 4 * 2 + i / 2 * 8;
    weights[i] = pack_bf16(to_float(pair[0]), to_float(pair[1]));
  }
  float sums[16][4] = {};
  warpgroup_begin(sums);
  warpgroup_weighted(sums, weights, matrix_descriptor(shared, 0, b_leading, b_stride, swizzle));
  warpgroup_finish(sums);
  write(x, sums);
}

// x (64,64) = A A^T, of a tile A (64,64) whose first 16 columns count, with the mistake of this number.
DEVICE void probe_mistake(const bf16* a, float* x, int64_t mistake) {
  SWIZZLED_SHARED(bf16, tile);
  for (int i = threadIdx.x; i < 64 * 8; i += WARPGROUP) {
    copy_async_16(tile + i / 8 * 64 + (i % 8 ^ i / 8 % 8) * 8, a + 8 * i, 16);
  }
  copy_async_commit();
  if (mistake == 2) {
    fence_async_proxy();
  }
  copy_async_wait<0>();
  if (mistake != 1 && mistake != 2) {
    fence_async_proxy();
  }
  __syncthreads();
  int from = mistake == 7 ? 1 << 17 : mistake == 8 ? threadIdx.x / WARP * 16 : 0;
  uint64_t descriptor = matrix_descriptor(tile, from, 16, 1024, mistake == 6 ? 0 : SWIZZLE_128);
  float sums[8][4];
  if (mistake != 3) {
    warpgroup_begin();
  }
  if (mistake != 5 || threadIdx.x < WARPGROUP - WARP) {
    warpgroup_dots<false>(sums, descriptor, descriptor);
  }
  if (mistake != 4) {
    warpgroup_finish(sums);
  }
  write(x, sums);
}

EXPORT_KERNEL(probe_rows, (128), bf16,
              (const int32_t* a_places, const bf16* a, const int32_t* b_places, const bf16* b, float* x, int64_t a_start,
               int64_t a_stride, int64_t b_start, int64_t b_stride, int64_t swizzle),
              (::probe_rows(a_places, a, b_places, b, x, a_start, a_stride, b_start, b_stride, swizzle)))

EXPORT_KERNEL(probe_depths, (128), bf16,
              (const bf16* a, const int32_t* b_places, const bf16* b, float* x, int64_t b_leading, int64_t b_stride,
               int64_t swizzle),
              (::probe_depths(a, b_places, b, x, b_leading, b_stride, swizzle)))

EXPORT_KERNEL(probe_mistake, (128), bf16, (const bf16* a, float* x, int64_t mistake), (::probe_mistake(a, x, mistake)))
