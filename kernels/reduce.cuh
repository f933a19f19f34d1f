// Sums over a warp and a block, in an order that depends on their sizes alone.
#pragma once

#include "device.cuh"

template <class V>
DEVICE V warp_sum(V x) {
#pragma unroll
  for (int lanes = WARP / 2; lanes > 0; lanes /= 2) {
    x += __shfl_xor_sync(ALL_LANES, x, lanes);
  }
  return x;
}

template <class V>
DEVICE V greater(V a, V b) {
  return a < b ? b : a;
}

template <class V>
DEVICE V warp_max(V x) {
#pragma unroll
  for (int lanes = WARP / 2; lanes > 0; lanes /= 2) {
    x = greater(x, __shfl_xor_sync(ALL_LANES, x, lanes));
  }
  return x;
}

// The sum over all threads of a block of whole warps, known to each of them afterwards. All threads call.
template <class V>
DEVICE V block_sum(V x) {
  SHARED_ARRAY(V, of_warp, 32);
  x = warp_sum(x);
  if (blockDim.x == WARP) {
    return x;
  }
  int lane = threadIdx.x % WARP;
  if (lane == 0) {
    of_warp[threadIdx.x / WARP] = x;
  }
  __syncthreads();
  x = warp_sum(lane < static_cast<int>(blockDim.x) / WARP ? of_warp[lane] : V(0));
  __syncthreads();  // of_warp may be written again
  return x;
}

// As block_sum, the greatest.
template <class V>
DEVICE V block_max(V x) {
  SHARED_ARRAY(V, of_warp, 32);
  x = warp_max(x);
  if (blockDim.x == WARP) {
    return x;
  }
  int lane = threadIdx.x % WARP;
  if (lane == 0) {
    of_warp[threadIdx.x / WARP] = x;
  }
  __syncthreads();
  x = warp_max(of_warp[lane < static_cast<int>(blockDim.x) / WARP ? lane : 0]);
  __syncthreads();
  return x;
}
