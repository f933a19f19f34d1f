// o = softmax(c q k^T) v and the row log-sum-exp, on tensor cores. Shapes and formulas: attention.cuh, attention_tiles.cuh.
// blockIdx.x: tile of 64 queries, blockIdx.y: head. Keys and values come in two alternating buffers.
#pragma once

#include "attention_tiles.cuh"

template <class P, int D, bool ALIGNED>
DEVICE void attention_forward_tiles(const int32_t* tiles, const int32_t* query_starts, const int32_t* key_starts,
                                    const bf16* q, const bf16* k, const bf16* v, bf16* o, float* lse, int64_t rows,
                                    int64_t heads, int64_t group, int64_t window, int64_t stride, int64_t key_stride,
                                    int64_t o_stride, float c) {
  constexpr int KEYS = 64;
  constexpr int OWN_ROWS = P::OWN_ROWS;
  using Own = HeadTile<OWN_ROWS, D, P::THREADS>;
  bf16* shared = P::shared();
  bf16* q_tile = shared;

  OwnTile tile(tiles, blockIdx.x, query_starts, key_starts, window);
  const AttentionSequence& sequence = tile.sequence;
  int64_t row0 = sequence.query0 + tile.first;
  int64_t count = min(int64_t{OWN_ROWS}, sequence.queries - tile.first);
  Own::template load<ALIGNED>(q_tile, q + row0 * stride + blockIdx.y * D, stride, count);

  KeyTiles<P, D, KEYS, false, ALIGNED> others(sequence, tile.first, k, v, nullptr, nullptr, shared + Own::ELEMENTS, rows,
                                              group, key_stride);
  auto load = [&](int i, int buffer) { others.load(i, buffer); };
  int tiles_of_keys = others.tiles(sequence.last_key(tile.first + count - 1));
  float scale = c * LOG2_E;
  float sums[D / 8][4];
  clear(sums);
  float most[2] = {-INFINITY, -INFINITY};
  float total[2] = {0.f, 0.f};
  each_tile<P, 2>(tiles_of_keys, load, [&](int i, int buffer) {
    const bf16* k_tile = others.k(buffer);
    float s[KEYS / 8][4];
    P::begin();
    P::template dots<KEYS, D>(s, q_tile, k_tile);
    P::finish(s);
    TileMask<OWN_ROWS, KEYS, 1>(sequence.last_key(tile.first) - others.first - i * KEYS, window).hide(s);
    float larger[2] = {most[0], most[1]};
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        larger[e / 2] = fmaxf(larger[e / 2], s[j][e]);
      }
    }
    float shift[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
      larger[h] = max_of_row(larger[h]);
      shift[h] = larger[h] == -INFINITY ? 0.f : larger[h] * scale;  // a row that has seen no key yet
      float shrink = fast_exp2(most[h] * scale - shift[h]);
      most[h] = larger[h];
      total[h] *= shrink;
#pragma unroll
      for (int j = 0; j < D / 8; j++) {
        sums[j][2 * h] *= shrink;
        sums[j][2 * h + 1] *= shrink;
      }
    }
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        s[j][e] = fast_exp2(s[j][e] * scale - shift[e / 2]);
        total[e / 2] += s[j][e];
      }
    }
    uint32_t weights[KEYS / 16][4];
    pack_weights(weights, s);
    P::begin(sums, weights);
    P::template add_weighted<KEYS, D>(sums, weights, others.v(buffer));
    P::finish(sums);
  });
  total[0] = sum_of_row(total[0]);
  total[1] = sum_of_row(total[1]);
  store_rows<Own, ALIGNED>(o + row0 * o_stride + blockIdx.y * D, o_stride, count, q_tile, sums, 1.f / total[0],
                         1.f / total[1]);
  if (lse != nullptr && threadIdx.x % 4 == 0) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      if (own_row(2 * h) < count) {
        lse[blockIdx.y * rows + row0 + own_row(2 * h)] = c * most[h] + logf(total[h]);
      }
    }
  }
}

#define ATTENTION_FORWARD(NAME, BOUNDS, P, D, ALIGNED)                                                                 \
  EXPORT_KERNEL(attention_forward_##NAME##_bf16, BOUNDS, bf16,                                                         \
                (const int32_t* tiles, const int32_t* query_starts, const int32_t* key_starts, const T* q,             \
                 const T* k, const T* v, T* o, float* lse, int64_t rows, int64_t heads, int64_t group, int64_t window, \
                 int64_t stride, int64_t key_stride, int64_t o_stride, float c),                                       \
                (::attention_forward_tiles<P, D, ALIGNED>(                                                             \
                     tiles, query_starts, key_starts, q, k, v, o, lse, rows, heads, group, window, stride, key_stride, \
                     o_stride, c)))
