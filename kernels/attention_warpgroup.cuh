// Products of attention's tiles by warpgroups (wgmma): sm_90a alone. A block of two warpgroups has 128 own rows, so that it
// brings a tile of the other side from the second-level cache for twice as many of them as WarpProducts do, and a warpgroup
// reads it from shared memory once for 64 rows.
//
// Tiles come by copy_async, 16 bytes a thread, to where the swizzle wants them. A bulk copy (cp.async.bulk) of one dimension
// cannot exchange chunks, and tensor maps, which can, would have to be made by the driver for every tensor, and would bring
// the next sequence's rows where a tile reaches beyond the end of its own.
#pragma once

#include "attention_tiles.cuh"
#include "warpgroup.cuh"

struct WarpgroupProducts {
  static constexpr int OWN_ROWS = 128;
  static constexpr int THREADS = 256;

  // Rows of tiles, as many as the registers allow.
  static constexpr int KEYS_OF_QUERY_GRADIENT = 64;
  static constexpr int QUERIES_OF_128 = 32;

  static DEVICE_MEMBER bf16* shared() {
    SWIZZLED_SHARED(bf16, start);
    return start;
  }

  // What this thread has copied is there for the tensor cores.
  static DEVICE_MEMBER void show() { fence_async_proxy(); }

  template <class... Registers>
  static DEVICE_MEMBER void begin(Registers&... registers) {
    warpgroup_begin(registers...);
  }

  template <class... Sums>
  static DEVICE_MEMBER void finish(Sums&... sums) {
    warpgroup_finish(sums...);
  }

  // s (16,ROWS) = own rows of the warp (16,D) times other (ROWS,D)^T
  template <int ROWS, int D>
  static DEVICE_MEMBER void dots(float (&s)[ROWS / 8][4], const bf16* own, const bf16* other) {
    warpgroup_dots<false>(s, Operand<OWN_ROWS, D>::own(own, 0), Operand<ROWS, D>::rows(other, 0));
    add_dots_from<ROWS, D, 16>(s, own, other);
  }

  // s (16,ROWS) += own rows of the warp (16,D) times other (ROWS,D)^T
  template <int ROWS, int D>
  static DEVICE_MEMBER void add_dots(float (&s)[ROWS / 8][4], const bf16* own, const bf16* other) {
    add_dots_from<ROWS, D, 0>(s, own, other);
  }

  // sums (16,D) += weights (16,ROWS) times other (ROWS,D)
  template <int ROWS, int D>
  static DEVICE_MEMBER void add_weighted(float (&sums)[D / 8][4], const uint32_t (&weights)[ROWS / 16][4],
                                         const bf16* other) {
#pragma unroll
    for (int i = 0; i < ROWS / 16; i++) {
      warpgroup_weighted(sums, weights[i], Operand<ROWS, D>::depths(other, 16 * i));
    }
  }

 private:
  static constexpr int ROWS_OF_WARPGROUP = 64;

  // A tile as descriptors name it.
  template <int ROWS, int D>
  struct Operand {
    static constexpr int PANEL = HeadTile<ROWS, D, THREADS>::PANEL;
    static constexpr int LINE = 2 * PANEL;
    static_assert(LINE == 128, "panels as wide as the swizzle");
    static constexpr int PANEL_BYTES = ROWS * LINE;
    static constexpr int UNIT = 16;  // the leading offset, where it counts for nothing

    // All rows, elements element.. (16).
    static DEVICE_MEMBER uint64_t rows(const bf16* tile, int element) {
      return matrix_descriptor(tile, element / PANEL * PANEL_BYTES + element % PANEL * 2, UNIT, 8 * LINE, SWIZZLE_128);
    }

    // The same of this warpgroup's 64 rows.
    static DEVICE_MEMBER uint64_t own(const bf16* tile, int element) {
      return rows(tile + threadIdx.x / WARPGROUP * (ROWS_OF_WARPGROUP * PANEL), element);
    }

    // Rows row.. (16) as depths, all elements.
    static DEVICE_MEMBER uint64_t depths(const bf16* tile, int row) {
      return matrix_descriptor(tile, row * LINE, PANEL_BYTES, 8 * LINE, SWIZZLE_128);
    }
  };

  template <int ROWS, int D, int FIRST>
  static DEVICE_MEMBER void add_dots_from(float (&s)[ROWS / 8][4], const bf16* own, const bf16* other) {
#pragma unroll
    for (int element = FIRST; element < D; element += 16) {
      warpgroup_dots<true>(s, Operand<OWN_ROWS, D>::own(own, element), Operand<ROWS, D>::rows(other, element));
    }
  }
};
