// The device side of kernels/warpgroup.cuh on the CPU. A warp carries its 16 rows of a product out by itself: when it waits
// for it and no sooner, or, in half of the blocks, at once. So nothing but the kernel's own barriers orders what it reads.
#pragma once

#include "emulator.h"

namespace emulator {

#pragma GCC visibility push(hidden)

// Numbers of shared addresses, as the hardware counts them: its own first kilobyte lies before a kernel's.
uint32_t number_of_shared(const void* address);

// One product of a warpgroup as its threads ask for it.
struct WarpgroupProduct {
  uint64_t a;  // descriptor; 0 where A comes from registers
  uint64_t b;
  int columns;
  bool add;

  bool operator==(const WarpgroupProduct& other) const {
    return a == other.a && b == other.b && columns == other.columns && add == other.add;
  }
};

void fence_async_proxy();
void warpgroup_begin();
void warpgroup_product(const WarpgroupProduct& product, const uint32_t* a, float* sums);
void warpgroup_finish();

#pragma GCC visibility pop

}  // namespace emulator

#define SWIZZLED_SHARED(T, NAME) DYNAMIC_SHARED(T, NAME)

DEVICE uint32_t shared_address(const void* shared) { return emulator::number_of_shared(shared); }

DEVICE void fence_async_proxy() { emulator::fence_async_proxy(); }

template <class... Registers>
DEVICE void warpgroup_begin(Registers&...) {
  emulator::warpgroup_begin();
}

template <bool ADD, int TILES>
DEVICE void warpgroup_dots(float (&x)[TILES][4], uint64_t a, uint64_t b) {
  emulator::warpgroup_product({a, b, 8 * TILES, ADD}, nullptr, &x[0][0]);
}

template <int TILES>
DEVICE void warpgroup_weighted(float (&x)[TILES][4], const uint32_t (&a)[4], uint64_t b) {
  emulator::warpgroup_product({0, b, 8 * TILES, true}, a, &x[0][0]);
}

template <class... Sums>
DEVICE void warpgroup_finish(Sums&...) {
  emulator::warpgroup_finish();
}
