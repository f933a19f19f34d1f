// Elementwise loops.
#pragma once

#include "device.cuh"

// This thread's first element of a one-dimensional grid.
DEVICE int64_t first_element() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

// How far apart a thread's elements lie.
DEVICE int64_t grid_elements() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

// x[i], or zero where the tensor is a structural zero.
template <class T>
DEVICE float or_zero(const T* x, int64_t i) {
  return x == nullptr ? 0.f : to_float(x[i]);
}
