// Attention on tensor cores: tiles of rows of one head in shared memory, and what goes through them. A block has OWN_ROWS
// rows of its own side, 16 a warp, and goes through the other side in tiles of ROWS rows. Products P of tiles are
// WarpProducts (attention_warp.cuh) or WarpgroupProducts (attention_warpgroup.cuh).
//
// In what a warp holds of a product (16,ROWS) or a sum (16,D), with g = lane/4 and t = lane%4: x[j][e] is row
// g + 8 (e/2), column 8 j + 2 t + e%2.
#pragma once

#include "attention.cuh"

// A tile of ROWS rows of a head of D elements, for a block of THREADS: panels of at most 64 elements, 128 bytes, one behind
// the other. Chunks of 8 elements change places within a row of a panel, so that load_matrices meets no bank twice. In panels
// of 128 bytes that is the swizzle which descriptors of warpgroup.cuh name.
template <int ROWS, int D, int THREADS>
struct HeadTile {
  static constexpr int CHUNKS = D / 8;
  static constexpr int PANEL = D < 64 ? D : 64;
  static constexpr int PANEL_CHUNKS = PANEL / 8;
  static constexpr int SHARED_ROWS = 8 / PANEL_CHUNKS;  // rows that lie in one line of banks
  static constexpr int ELEMENTS = ROWS * D;

  static DEVICE_MEMBER int offset(int row, int element) {
    int chunk = (element % PANEL / 8) ^ (row / SHARED_ROWS % PANEL_CHUNKS);
    return element / PANEL * (ROWS * PANEL) + row * PANEL + chunk * 8;
  }

  // Starts loading rows 0.. of `source`, `stride` elements apart; rows from `count` on become 0. A thread has one chunk of
  // every STEP-th row, which lies at the same place within each.
  template <bool ALIGNED>
  static DEVICE_MEMBER void load(bf16* tile, const bf16* source, int64_t stride, int64_t count) {
    constexpr int STEP = THREADS / CHUNKS;
    static_assert(ROWS % STEP == 0 && STEP / SHARED_ROWS % PANEL_CHUNKS == 0, "rows of a tile");
    int row = threadIdx.x / CHUNKS;
    int element = threadIdx.x % CHUNKS * 8;
    const bf16* from = source + row * stride + element;
    bf16* to = tile + offset(row, element);
    int left = static_cast<int>(count) - row;
#pragma unroll
    for (int i = 0; i < ROWS / STEP; i++) {
      bool inside = i * STEP < left;
      const bf16* piece = inside ? from + i * STEP * stride : source;
      bf16* place = to + i * STEP * PANEL;
      if (ALIGNED) {
        copy_async_16(place, piece, inside ? 16 : 0);
      } else {
#pragma unroll
        for (int e = 0; e < 8; e++) {
          place[e] = inside ? piece[e] : round_bf16(0.f);
        }
      }
    }
  }

  // Rows 0.. of `target`, `stride` elements apart, = the tile's rows below `count`.
  template <bool ALIGNED>
  static DEVICE_MEMBER void store(bf16* target, int64_t stride, const bf16* tile, int64_t count) {
    constexpr int STEP = THREADS / CHUNKS;
    int row = threadIdx.x / CHUNKS;
    int element = threadIdx.x % CHUNKS * 8;
    bf16* to = target + row * stride + element;
    const bf16* from = tile + offset(row, element);
    int left = static_cast<int>(count) - row;
#pragma unroll
    for (int i = 0; i < ROWS / STEP; i++) {
      if (i * STEP < left) {
        if (ALIGNED) {
          require_aligned_16(to + i * STEP * stride);
          *reinterpret_cast<uint4*>(to + i * STEP * stride) = *reinterpret_cast<const uint4*>(from + i * STEP * PANEL);
        } else {
#pragma unroll
          for (int e = 0; e < 8; e++) {
            to[i * STEP * stride + e] = from[i * STEP * PANEL + e];
          }
        }
      }
    }
  }

  // A of mma: rows row.. (16) and elements element.. (16).
  static DEVICE_MEMBER void left(uint32_t (&m)[4], const bf16* tile, int row, int element) {
    int lane = threadIdx.x % WARP;
    load_matrices(m, tile + offset(row + lane % 16, element + lane / 16 * 8));
  }

  // B of two mmas, transposed: columns are rows row.. (16), depth is elements element.. (16).
  static DEVICE_MEMBER void right_transposed(uint32_t (&m)[4], const bf16* tile, int row, int element) {
    int lane = threadIdx.x % WARP;
    load_matrices(m, tile + offset(row + lane / 16 * 8 + lane % 8, element + lane / 8 % 2 * 8));
  }

  // B of two mmas: depth is rows row.. (16), columns are elements element.. (16).
  static DEVICE_MEMBER void right(uint32_t (&m)[4], const bf16* tile, int row, int element) {
    int lane = threadIdx.x % WARP;
    load_matrices_transposed(m, tile + offset(row + lane % 16, element + lane / 16 * 8));
  }
};

template <int COLUMNS>
DEVICE void clear(float (&x)[COLUMNS][4]) {
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      x[j][e] = 0.f;
    }
  }
}

// Weights (16,ROWS) as products take them.
template <int COLUMNS>
DEVICE void pack_weights(uint32_t (&packed)[COLUMNS / 2][4], const float (&x)[COLUMNS][4]) {
#pragma unroll
  for (int i = 0; i < COLUMNS / 2; i++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      packed[i][2 * half] = pack_bf16(x[2 * i + half][0], x[2 * i + half][1]);
      packed[i][2 * half + 1] = pack_bf16(x[2 * i + half][2], x[2 * i + half][3]);
    }
  }
}

// Row of the block's own tile that x[.][e] of this lane belongs to.
DEVICE int own_row(int e) { return threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4 + e / 2 * 8; }

// Row of the other side's tile that x[j][e] of this lane belongs to.
DEVICE int other_row(int j, int e) { return 8 * j + threadIdx.x % WARP % 4 * 2 + e % 2; }

// Rows 0.. of target (N,heads,D) at one head = factor * sums, those below `count`, by way of a tile that nobody reads any
// more: its rows go to memory whole.
template <class Own, bool ALIGNED, int COLUMNS>
DEVICE void store_rows(bf16* target, int64_t stride, int64_t count, bf16* tile, const float (&sums)[COLUMNS][4],
                       float upper, float lower) {
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    int column = threadIdx.x % 4 * 2;
    *reinterpret_cast<uint32_t*>(tile + Own::offset(own_row(0), 8 * j) + column) =
        pack_bf16(upper * sums[j][0], upper * sums[j][1]);
    *reinterpret_cast<uint32_t*>(tile + Own::offset(own_row(2), 8 * j) + column) =
        pack_bf16(lower * sums[j][2], lower * sums[j][3]);
  }
  __syncthreads();
  Own::template store<ALIGNED>(target, stride, tile, count);
}

constexpr float LOG2_E = 1.4426950408889634f;

// Which pairs of a tile of queries and a tile of keys see each other: those whose query stands `back` positions behind the
// key, 0 to below the window. OWN_SIGN is 1 where the block's own rows are queries, -1 where they are keys.
template <int OWN_ROWS, int ROWS, int OWN_SIGN>
struct TileMask {
  int first;  // how far the query stands behind in row 0 of both
  unsigned window;

  DEVICE_MEMBER TileMask(int64_t first_back, int64_t limit)
      : first(static_cast<int>(first_back)), window(limit == 0 ? 0x80000000u : static_cast<unsigned>(limit)) {}

  DEVICE_MEMBER int back(int own, int other) const { return first + OWN_SIGN * (own - other); }

  // Whether all rows see all rows.
  DEVICE_MEMBER bool whole() const {
    int least = OWN_SIGN > 0 ? back(0, ROWS - 1) : back(OWN_ROWS - 1, 0);
    int most = OWN_SIGN > 0 ? back(OWN_ROWS - 1, 0) : back(0, ROWS - 1);
    return least >= 0 && static_cast<unsigned>(most) < window;
  }

  // Scores of pairs that do not see each other become -infinity, of which the exponential is 0.
  DEVICE_MEMBER void hide(float (&s)[ROWS / 8][4]) const {
    if (whole()) {
      return;
    }
#pragma unroll
    for (int j = 0; j < ROWS / 8; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        bool seen = static_cast<unsigned>(back(own_row(e), other_row(j, e))) < window;
        s[j][e] = seen ? s[j][e] : -INFINITY;
      }
    }
  }
};

// The main loop: goes through `count` tiles of the other side in BUFFERS buffers. load(i, buffer) starts loading tile i,
// use(i, buffer) works on it.
template <class P, int BUFFERS, class Load, class Use>
DEVICE void each_tile(int count, Load load, Use use) {
  if (BUFFERS == 2 && count > 0) {
    load(0, 0);
    copy_async_commit();
  }
  for (int i = 0; i < count; i++) {
    int next = i + BUFFERS - 1;
    if (next < count) {
      load(next, next % BUFFERS);
    }
    copy_async_commit();
    copy_async_wait<BUFFERS - 1>();
    P::show();
    __syncthreads();
    use(i, i % BUFFERS);
    __syncthreads();
  }
}

// The tile that this block has: a sequence and its first row there. Tiles come with the latest rows first.
struct OwnTile {
  AttentionSequence sequence;
  int64_t first;

  DEVICE_MEMBER OwnTile(const int32_t* tiles, int64_t index, const int32_t* query_starts, const int32_t* key_starts,
                        int64_t window)
      : sequence(query_starts, key_starts, tiles[2 * index], window), first(tiles[2 * index + 1]) {}
};

// Tiles of the keys that a block's queries see and of their values, one after another, and where TANGENT of the tangents of
// both, those of direction blockIdx.z; null tangents are not loaded. TILES of them are in each buffer.
template <class P, int D, int KEYS, bool TANGENT, bool ALIGNED>
struct KeyTiles {
  using Tile = HeadTile<KEYS, D, P::THREADS>;
  static constexpr int TILES = TANGENT ? 4 : 2;

  const bf16* keys;
  const bf16* values;
  const bf16* keys_tangent;
  const bf16* values_tangent;
  bf16* buffers;
  int64_t first;  // key of the first tile
  int64_t count;  // of the sequence's keys
  int64_t stride;
  int64_t base;       // of the sequence and head in keys and values
  int64_t direction;  // of the direction in tangents

  // For queries from `query` on.
  DEVICE_MEMBER KeyTiles(const AttentionSequence& sequence, int64_t query, const bf16* k, const bf16* v, const bf16* dk,
                         const bf16* dv, bf16* shared, int64_t rows, int64_t group, int64_t key_stride)
      : keys(k),
        values(v),
        keys_tangent(dk),
        values_tangent(dv),
        buffers(shared),
        first(sequence.first_key(query) / KEYS * KEYS),
        count(sequence.keys),
        stride(key_stride),
        base(sequence.key0 * key_stride + blockIdx.y / group * D),
        direction(blockIdx.z * rows * key_stride) {}

  // Tiles up to the one of key `last`.
  DEVICE_MEMBER int tiles(int64_t last) const { return static_cast<int>((last - first) / KEYS) + 1; }

  DEVICE_MEMBER const bf16* k(int buffer) const { return buffers + buffer * TILES * Tile::ELEMENTS; }
  DEVICE_MEMBER const bf16* v(int buffer) const { return k(buffer) + Tile::ELEMENTS; }
  DEVICE_MEMBER const bf16* dk(int buffer) const { return k(buffer) + 2 * Tile::ELEMENTS; }
  DEVICE_MEMBER const bf16* dv(int buffer) const { return k(buffer) + 3 * Tile::ELEMENTS; }

  // Starts loading tile i.
  DEVICE_MEMBER void load(int i, int buffer) const {
    int64_t from = first + i * KEYS;
    bf16* to = buffers + buffer * TILES * Tile::ELEMENTS;
    int64_t at = base + from * stride;
    int64_t left = count - from;
    Tile::template load<ALIGNED>(to, keys + at, stride, left);
    Tile::template load<ALIGNED>(to + Tile::ELEMENTS, values + at, stride, left);
    if (TANGENT && keys_tangent != nullptr) {
      Tile::template load<ALIGNED>(to + 2 * Tile::ELEMENTS, keys_tangent + direction + at, stride, left);
    }
    if (TANGENT && values_tangent != nullptr) {
      Tile::template load<ALIGNED>(to + 3 * Tile::ELEMENTS, values_tangent + direction + at, stride, left);
    }
  }
};

// The sum of x over the four lanes that hold a row.
DEVICE float sum_of_row(float x) {
  x += __shfl_xor_sync(ALL_LANES, x, 1);
  return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

DEVICE float max_of_row(float x) {
  x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
  return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}
