// What every kernel includes, and with warpgroup.cuh the only place that knows who compiles it: nvcc for a GPU, or a
// C++ compiler with native/emulator for the CPU, where the same sources run under tests.
//
// Rules that keep one source for both:
//   - include nothing but files of this folder; no inline PTX outside this file and warpgroup.cuh
//   - a kernel's parameters are pointers, int64_t and float
//   - shared memory is declared by SHARED_ARRAY and DYNAMIC_SHARED alone
//   - types that differ between files have different names
//   - warp functions (shuffles, mma, ldmatrix) are called by all 32 lanes
//   - copies to shared memory by copy_async are there only after copy_async_wait and __syncthreads
#pragma once

#include <stdint.h>

#include <type_traits>

#ifdef LETHE_EMULATOR
#include "emulator.h"
#else

#include <cuda_bf16.h>

#define DEVICE __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__

// T* NAME: the block's dynamic shared memory, aligned to 16 bytes.
#define DYNAMIC_SHARED(T, NAME)                                       \
  extern __shared__ __align__(16) unsigned char dynamic_shared_raw[]; \
  T* NAME = reinterpret_cast<T*>(dynamic_shared_raw)

// T* NAME: COUNT elements of the block's static shared memory.
#define SHARED_ARRAY(T, NAME, COUNT) __shared__ __align__(16) T NAME[COUNT]

// Exports one kernel under NAME: BOUNDS are launch bounds in parentheses, TYPE is what PARAMETERS call
// T, and CALL is its body.
#define EXPORT_KERNEL(NAME, BOUNDS, TYPE, PARAMETERS, CALL)                   \
  namespace export_##NAME {                                                   \
  using T = TYPE;                                                             \
  extern "C" __global__ void __launch_bounds__ BOUNDS NAME PARAMETERS { CALL; } \
  }

using bf16 = __nv_bfloat16;

DEVICE float to_float(bf16 x) { return __bfloat162float(x); }

// To the nearest, ties to even.
DEVICE bf16 round_bf16(float x) { return __float2bfloat16_rn(x); }

// Where the emulator ends a launch that would read or write 16 bytes at another address.
DEVICE void require_aligned_16(const void*) {}

// 16 bytes by one instruction: what the compiler knows to be several numbers, it would move one by one. "Once": nobody
// needs the line soon, so that it leaves the L2 cache before others do.
DEVICE uint4 load_16(const uint4* from) { return *from; }
DEVICE uint4 load_16_once(const uint4* from) { return __ldcs(from); }
DEVICE void store_16(uint4* to, uint4 x) { __stwb(to, x); }
DEVICE void store_16_once(uint4* to, uint4 x) { __stcs(to, x); }

// e^x with the hardware's exponential, relative error about 2^-21 for moderate x.
DEVICE float fast_exp(float x) { return __expf(x); }

// 2^x likewise; 0 for -infinity.
DEVICE float fast_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// 1/x, to the last bit or the one before, for x up to 2^126.
DEVICE float fast_reciprocal(float x) { return __fdividef(1.f, x); }

// a b, rounded before anything is added to it.
DEVICE float rounded_product(float a, float b) { return __fmul_rn(a, b); }

// Two numbers as bfloat16 in one register, lo in the low half.
DEVICE uint32_t pack_bf16(float lo, float hi) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(hi), "f"(lo));
  return packed;
}

// c (16,8) += a (16,16) b (16,8), bfloat16 with float32 accumulation, in the fragment layout of
// mma.sync.m16n8k16. With g = lane/4 and t = lane%4: a[i] holds row g+8(i%2), columns 2t+8(i/2) and
// the next; b[i] rows 2t+8i and the next of column g; c[i] row g+8(i/2), column 2t+i%2.
DEVICE void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

DEVICE uint32_t shared_address(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

// Four 8x8 matrices of 16-bit elements from shared memory: lane i gives the address (16-byte aligned) of
// row i%8 of matrix i/8; m[j] holds row lane/4, columns 2(lane%4) and the next of matrix j.
DEVICE void load_matrices(uint32_t (&m)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(shared_address(row))
               : "memory");
}

// As load_matrices, each matrix transposed.
DEVICE void load_matrices_transposed(uint32_t (&m)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(shared_address(row))
               : "memory");
}

// Starts a copy of 16 bytes to shared memory, both sides aligned to 16; bytes beyond `valid` (0 to 16)
// become zero.
DEVICE void copy_async_16(void* shared, const void* global, int valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global),
               "r"(valid)
               : "memory");
}

// The same of 4 bytes.
DEVICE void copy_async_4(void* shared, const void* global, int valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(valid)
               : "memory");
}

// Closes a group of copies.
DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most PENDING groups of this thread are under way.
template <int PENDING>
DEVICE void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

#endif  // LETHE_EMULATOR

DEVICE float to_float(float x) { return x; }

template <class T>
DEVICE T from_float(float x) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    return round_bf16(x);
  }
}

// Exports template<class T> NAME as NAME_f32 and NAME_bf16.
#define KERNEL(NAME, BOUNDS, PARAMETERS, ARGUMENTS)                             \
  EXPORT_KERNEL(NAME##_f32, BOUNDS, float, PARAMETERS, ::NAME<float> ARGUMENTS) \
  EXPORT_KERNEL(NAME##_bf16, BOUNDS, bf16, PARAMETERS, ::NAME<bf16> ARGUMENTS)

constexpr int WARP = 32;
constexpr unsigned ALL_LANES = 0xffffffffu;
