// CUDA's device side for a C++ compiler: kernels/device.cuh includes this where LETHE_EMULATOR is defined.
//
// A block's threads are fibers on one thread of the operating system. They switch at barriers and warp
// functions only. Warps run in random order between barriers, shared memory is poisoned before every block, and
// asynchronous copies happen as late as they may or, in every second block by chance, as early, so that a missing
// barrier or wait shows as a wrong result.
// What the hardware leaves undefined ends the launch with an error: divergent barriers, misaligned matrix loads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "sanitizer.h"

#define DEVICE static inline
#define DEVICE_MEMBER inline
#define __restrict__ __restrict

struct dim3 {
  unsigned x, y, z;
};

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) uint2 {
  uint32_t x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};

// bfloat16 as its bits.
struct bf16 {
  uint16_t bits;
};

namespace emulator {

struct Bounds {
  int threads;
  explicit Bounds(int most_threads, int /* least blocks a multiprocessor */ = 1) : threads(most_threads) {}
};

// A kernel by its exported name, and how to call it with cuLaunchKernel's array of pointers to arguments.
struct Registration {
  const char* name;
  void (*function)();
  void (*invoke)(void (*function)(), void** arguments);
  Bounds bounds;
  int parameters;
  Registration* next;

  template <class... A>
  Registration(const char* kernel_name, void (*kernel)(A...), Bounds launch_bounds)
      : name(kernel_name),
        function(reinterpret_cast<void (*)()>(kernel)),
        invoke(&Call<A...>::with),
        bounds(launch_bounds),
        parameters(sizeof...(A)),
        next(first) {
    first = this;
  }

  static Registration* first;

 private:
  template <class... A>
  struct Call {
    static void with(void (*function)(), void** arguments) {
      apply(reinterpret_cast<void (*)(A...)>(function), arguments, std::index_sequence_for<A...>{});
    }

    template <size_t... I>
    static void apply(void (*function)(A...), void** arguments, std::index_sequence<I...>) {
      function(*static_cast<A*>(arguments[I])...);
    }
  };
};

// What a kernel asks about the thread it runs on.
struct Thread {
  dim3 index;
  int lane;
  unsigned char* exchange;  // the warp's buffer that the next exchange takes, and the one after it
  unsigned char* later_exchange;
};

#pragma GCC visibility push(hidden)

extern Thread* current;
extern dim3 block_index;
extern dim3 block_size;
extern dim3 grid_size;

// 16-byte accesses to global memory since the launch began.
extern uint64_t wide_loads;
extern uint64_t wide_stores;

void block_barrier();
void warp_barrier();

// Ends the launch with this message; does not return.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// A buffer of this warp with a place for each lane; what lanes put there is seen by all after the next
// warp_barrier and stays until the exchange after the next.
constexpr int EXCHANGE_BYTES = 64;
inline unsigned char* exchange_buffer() {
  std::swap(current->exchange, current->later_exchange);
  return current->later_exchange;
}

void* dynamic_shared();
// A place for a new array in static shared memory, the same in every block, by its number; and where that is.
size_t place_shared(size_t bytes);
void* static_shared(size_t array);
void require_shared(const char* what, const void* address, size_t bytes);

void copy_async(void* shared, const void* global, int bytes, int valid);
void copy_async_commit();
void copy_async_wait(int pending);

#pragma GCC visibility pop

template <class V>
inline V exchange(V value, int source) {
  static_assert(sizeof(V) <= EXCHANGE_BYTES, "a value of a warp exchange");
  unsigned char* buffer = exchange_buffer();
  std::memcpy(buffer + current->lane * EXCHANGE_BYTES, &value, sizeof value);
  warp_barrier();
  V result;
  std::memcpy(&result, buffer + (source & 31) * EXCHANGE_BYTES, sizeof result);
  return result;
}

inline unsigned ballot(bool predicate) {
  unsigned char* buffer = exchange_buffer();
  buffer[current->lane * EXCHANGE_BYTES] = predicate;
  warp_barrier();
  unsigned lanes = 0;
  for (int i = 0; i < 32; i++) {
    lanes |= static_cast<unsigned>(buffer[i * EXCHANGE_BYTES]) << i;
  }
  return lanes;
}

inline void require_all_lanes(unsigned mask) {
  if (mask != 0xffffffffu) {
    fail("a warp function with mask %08x: kernels use all lanes", mask);
  }
}

}  // namespace emulator

#define threadIdx (emulator::current->index)
#define blockIdx emulator::block_index
#define blockDim emulator::block_size
#define gridDim emulator::grid_size

#define DYNAMIC_SHARED(T, NAME) T* NAME = static_cast<T*>(emulator::dynamic_shared())

#define SHARED_ARRAY(T, NAME, COUNT)                                               \
  static const size_t NAME##_array = emulator::place_shared(sizeof(T) * (COUNT)); \
  T* const NAME = static_cast<T*>(emulator::static_shared(NAME##_array))

#define EXPORT_KERNEL(NAME, BOUNDS, TYPE, PARAMETERS, CALL)                          \
  namespace export_##NAME {                                                          \
  using T = TYPE;                                                                    \
  static void NAME PARAMETERS { CALL; }                                              \
  static emulator::Registration registration(#NAME, &NAME, emulator::Bounds BOUNDS); \
  }

DEVICE void __syncthreads() { emulator::block_barrier(); }
DEVICE void __syncwarp(unsigned mask = 0xffffffffu) {
  emulator::require_all_lanes(mask);
  emulator::warp_barrier();
}

template <class V>
DEVICE V __shfl_sync(unsigned mask, V value, int lane) {
  emulator::require_all_lanes(mask);
  return emulator::exchange(value, lane);
}

template <class V>
DEVICE V __shfl_xor_sync(unsigned mask, V value, int lanes) {
  emulator::require_all_lanes(mask);
  return emulator::exchange(value, emulator::current->lane ^ lanes);
}

template <class V>
DEVICE V __shfl_down_sync(unsigned mask, V value, int lanes) {
  emulator::require_all_lanes(mask);
  int source = emulator::current->lane + lanes;
  return emulator::exchange(value, source < 32 ? source : emulator::current->lane);
}

DEVICE unsigned __ballot_sync(unsigned mask, bool predicate) {
  emulator::require_all_lanes(mask);
  return emulator::ballot(predicate);
}

DEVICE bool __any_sync(unsigned mask, bool predicate) { return __ballot_sync(mask, predicate) != 0; }
DEVICE bool __all_sync(unsigned mask, bool predicate) {
  return __ballot_sync(mask, predicate) == 0xffffffffu;
}

DEVICE void require_aligned_16(const void* address) {
  if (reinterpret_cast<uintptr_t>(address) % 16 != 0) {
    emulator::fail("16 bytes at an address that is not aligned to them");
  }
}

DEVICE uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
DEVICE uint4 load_16(const uint4* from) {
  emulator::wide_loads++;
  return *from;
}
DEVICE uint4 load_16_once(const uint4* from) { return load_16(from); }
DEVICE void store_16(uint4* to, uint4 x) {
  emulator::wide_stores++;
  *to = x;
}
DEVICE void store_16_once(uint4* to, uint4 x) { store_16(to, x); }

DEVICE float rsqrtf(float x) { return 1.f / std::sqrt(x); }
DEVICE float rounded_product(float a, float b) { return a * b; }
DEVICE float fast_exp(float x) { return std::exp(x); }
DEVICE float fast_exp2(float x) { return std::exp2(x); }
DEVICE float fast_reciprocal(float x) { return 1.f / x; }
using std::max;
using std::min;

template <class To, class From>
DEVICE To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "types of one size");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

DEVICE unsigned __float_as_uint(float x) { return bits_as<unsigned>(x); }
DEVICE float __uint_as_float(unsigned x) { return bits_as<float>(x); }
DEVICE double __longlong_as_double(long long x) { return bits_as<double>(x); }
DEVICE long long __double_as_longlong(double x) { return bits_as<long long>(x); }

DEVICE float to_float(bf16 x) { return __uint_as_float(static_cast<uint32_t>(x.bits) << 16); }

DEVICE bf16 round_bf16(float x) {
  uint32_t bits = __float_as_uint(x);
  if (x != x) {
    return {static_cast<uint16_t>(bits >> 16 | 0x40)};
  }
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

DEVICE uint32_t pack_bf16(float lo, float hi) {
  return round_bf16(lo).bits | static_cast<uint32_t>(round_bf16(hi).bits) << 16;
}

// The sum of the products of 16 numbers with 16 others, as a tree, which compilers make vector instructions of. The
// numbers are the emulator's copies, never a kernel's.
UNGUARDED DEVICE float dot_16(const float* a, const float* b) {
  float sums[8];
  for (int i = 0; i < 8; i++) {
    sums[i] = a[i] * b[i] + a[i + 8] * b[i + 8];
  }
  for (int i = 0; i < 4; i++) {
    sums[i] += sums[i + 4];
  }
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

#pragma GCC visibility push(hidden)
void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void load_matrices_of(uint32_t (&m)[4], const void* row, bool transposed);
#pragma GCC visibility pop

DEVICE void load_matrices(uint32_t (&m)[4], const void* row) { load_matrices_of(m, row, false); }
DEVICE void load_matrices_transposed(uint32_t (&m)[4], const void* row) { load_matrices_of(m, row, true); }

DEVICE void copy_async_16(void* shared, const void* global, int valid) {
  emulator::copy_async(shared, global, 16, valid);
}
DEVICE void copy_async_4(void* shared, const void* global, int valid) {
  emulator::copy_async(shared, global, 4, valid);
}
DEVICE void copy_async_commit() { emulator::copy_async_commit(); }
template <int PENDING>
DEVICE void copy_async_wait() {
  emulator::copy_async_wait(PENDING);
}
