// Products of a warpgroup (128 threads in step: four warps, the first of them a multiple of 4) on the tensor cores of compute
// capability 9.0: wgmma of PTX for sm_90a, or the emulator's. Inline PTX that only sm_90a has stands here alone.
//
//   warpgroup_begin(sums, weights);         the registers that products add to or read, as they are now
//   warpgroup_dots / warpgroup_weighted     any number, one after another
//   warpgroup_finish(x, y);                 now x and y hold their sums, and what was read may be overwritten
//
// Matrices lie in shared memory as a descriptor says. The tensor cores read it through another proxy than threads do: what
// threads have written there (copy_async, or plainly) they show it by fence_async_proxy, each thread after its own writes
// have arrived and before the barrier behind which the products begin.
//
// A descriptor, by the PTX ISA ("matrix descriptor", "canonical layouts"), compared with CUTLASS's mma_sm90_desc.hpp and
// mma_traits_sm90_gmma.hpp: bits 0-13 the start, 16-29 the leading offset, 32-45 the stride offset, all in units of 16 bytes,
// bits 62-63 the swizzle. A line has as many bytes as the swizzle; 8 lines make a block, and chunks of 16 bytes are exchanged:
// bits 4.. of an address are those bits xor bits 7.. of the same address. So blocks begin at multiples of 8 lines, and the
// base offset (bits 49-51) is 0.
//   by rows (A and the B of dots): a line holds one row, the depth along it; rows 8 apart lie `stride` apart
//   by depth (the B of weighted): a line holds one depth, columns along it; depths 8 apart lie `stride` apart, columns
//   beyond a line `leading`
#pragma once

#include "device.cuh"

#ifdef LETHE_EMULATOR
#include "warpgroup.h"
#else

// T* NAME: the block's dynamic shared memory, aligned as blocks of the widest swizzle; ends the launch where it is not.
#define SWIZZLED_SHARED(T, NAME)                                            \
  extern __shared__ __align__(1024) unsigned char swizzled_shared_raw[];    \
  T* NAME = reinterpret_cast<T*>(swizzled_shared_raw);                      \
  if (shared_address(NAME) % 1024 != 0) {                                   \
    __trap();                                                               \
  }

DEVICE void fence_async_proxy() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

#define SUMS_4(C, J) C(x[J][0]), C(x[J][1]), C(x[J][2]), C(x[J][3])
#define SUMS_16(C, J) SUMS_4(C, J), SUMS_4(C, J + 1), SUMS_4(C, J + 2), SUMS_4(C, J + 3)
#define SUMS_32(C, J) SUMS_16(C, J), SUMS_16(C, J + 4)
#define SUMS_64(C, J) SUMS_32(C, J), SUMS_32(C, J + 8)

#define NAMES_16 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define NAMES_32 NAMES_16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define NAMES_64                                                                       \
  NAMES_32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49," \
           "%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"

#define SUM_SET(X) "=f"(X)
#define SUM_ADDED(X) "+f"(X)

#define WARPGROUP_PRODUCT(COLUMNS, SUMS, OPERANDS, PREDICATE, TRANSPOSED)                                     \
  "{\n.reg .pred p;\nsetp.ne.b32 p, " PREDICATE ", 0;\nwgmma.mma_async.sync.aligned.m64n" COLUMNS             \
  "k16.f32.bf16.bf16 {" SUMS "}, " OPERANDS ", p, 1, 1" TRANSPOSED ";\n}"

// COLUMNS, which take SUMS registers of a thread, and the names of the operands behind these.
#define WARPGROUP_PRODUCTS(COLUMNS, SUMS, O0, O1, O2, O3, O4, O5)                                                    \
  template <bool ADD>                                                                                                \
  DEVICE void warpgroup_dots(float (&x)[COLUMNS / 8][4], uint64_t a, uint64_t b) {                                   \
    if constexpr (ADD) {                                                                                             \
      asm volatile(WARPGROUP_PRODUCT(#COLUMNS, NAMES_##SUMS, O0 ", " O1, O2, ", 0, 0")                               \
                   : SUMS_##SUMS(SUM_ADDED, 0)                                                                       \
                   : "l"(a), "l"(b), "n"(1));                                                                        \
    } else {                                                                                                         \
      asm volatile(WARPGROUP_PRODUCT(#COLUMNS, NAMES_##SUMS, O0 ", " O1, O2, ", 0, 0")                               \
                   : SUMS_##SUMS(SUM_SET, 0)                                                                         \
                   : "l"(a), "l"(b), "n"(0));                                                                        \
    }                                                                                                                \
  }                                                                                                                  \
  DEVICE void warpgroup_weighted(float (&x)[COLUMNS / 8][4], const uint32_t (&a)[4], uint64_t b) {                   \
    asm volatile(WARPGROUP_PRODUCT(#COLUMNS, NAMES_##SUMS, "{" O0 "," O1 "," O2 "," O3 "}, " O4, O5, ", 1")          \
                 : SUMS_##SUMS(SUM_ADDED, 0)                                                                         \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(1));                                      \
  }

// warpgroup_dots: x (64,COLUMNS) += A B^T, or = where not ADD; A (64,16) and B (COLUMNS,16) by rows.
// warpgroup_weighted: x += A B with A (64,16) as mma_bf16 takes it, 16 rows a warp, and B (16,COLUMNS) by depth.
// x as mma_bf16 has it: 16 rows a warp.
WARPGROUP_PRODUCTS(32, 16, "%16", "%17", "%18", "%19", "%20", "%21")
WARPGROUP_PRODUCTS(64, 32, "%32", "%33", "%34", "%35", "%36", "%37")
WARPGROUP_PRODUCTS(128, 64, "%64", "%65", "%66", "%67", "%68", "%69")

// What makes x stays before this, what reads x behind it.
template <class T, int TILES>
DEVICE void hold(T (&x)[TILES][4]) {
#pragma unroll
  for (int j = 0; j < TILES; j++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      if constexpr (std::is_same_v<T, float>) {
        asm volatile("" : "+f"(x[j][e])::"memory");
      } else {
        asm volatile("" : "+r"(x[j][e])::"memory");
      }
    }
  }
}

// These registers are ready for products that read them or add to them.
template <class... Registers>
DEVICE void warpgroup_begin(Registers&... registers) {
  (hold(registers), ...);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

// Waits for all products of this warpgroup, those that make these sums among them.
template <class... Sums>
DEVICE void warpgroup_finish(Sums&... sums) {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  (hold(sums), ...);
}

#endif  // LETHE_EMULATOR

constexpr int WARPGROUP = 128;
constexpr int SWIZZLE_128 = 1;

// Of a matrix that begins `from` bytes behind `start`; offsets in bytes.
DEVICE uint64_t matrix_descriptor(const void* start, int from, int leading, int stride, int swizzle) {
  uint32_t low = ((shared_address(start) & 0x3ffff) >> 4) + static_cast<uint32_t>(from >> 4 | leading >> 4 << 16);
  return static_cast<uint64_t>(stride >> 4 | static_cast<uint32_t>(swizzle) << 30) << 32 | low;
}
