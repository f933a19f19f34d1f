// o' = (P S') v + P v' - mu o and mu, on tensor cores; P from the kept log-sum-exp. Shapes and formulas: attention.cuh,
// attention_tiles.cuh. blockIdx.x: tile of 64 queries, blockIdx.y: head, blockIdx.z: direction. Null tangents are zero.
#pragma once

#include "attention_tiles.cuh"

template <class P, int D, bool ALIGNED>
DEVICE void attention_tangent_tiles(const int32_t* tiles, const int32_t* starts, const bf16* q, const bf16* k,
                                    const bf16* v, const bf16* o, const float* lse, const bf16* dq, const bf16* dk,
                                    const bf16* dv, bf16* d_o, float* mu, int64_t rows, int64_t heads, int64_t group,
                                    int64_t window, int64_t stride, int64_t key_stride, int64_t o_stride, float c) {
  constexpr int KEYS = 32;
  constexpr int OWN_ROWS = P::OWN_ROWS;
  using Own = HeadTile<OWN_ROWS, D, P::THREADS>;
  bf16* shared = P::shared();
  bf16* q_tile = shared;
  bf16* dq_tile = q_tile + Own::ELEMENTS;

  OwnTile tile(tiles, blockIdx.x, starts, starts, window);
  const AttentionSequence& sequence = tile.sequence;
  int64_t row0 = sequence.query0 + tile.first;
  int64_t count = min(int64_t{OWN_ROWS}, sequence.queries - tile.first);
  int64_t at_head = row0 * stride + blockIdx.y * D;
  int64_t in_direction = blockIdx.z * rows * stride + at_head;
  Own::template load<ALIGNED>(q_tile, q + at_head, stride, count);
  if (dq != nullptr) {
    Own::template load<ALIGNED>(dq_tile, dq + in_direction, stride, count);
  }

  KeyTiles<P, D, KEYS, true, ALIGNED> others(sequence, tile.first, k, v, dk, dv, dq_tile + Own::ELEMENTS, rows, group,
                                             key_stride);
  auto load = [&](int i, int buffer) { others.load(i, buffer); };

  float row_lse[2];
#pragma unroll
  for (int h = 0; h < 2; h++) {
    row_lse[h] = own_row(2 * h) < count ? LOG2_E * lse[blockIdx.y * rows + row0 + own_row(2 * h)] : 0.f;
  }
  float scale = c * LOG2_E;
  float sums[D / 8][4];
  clear(sums);
  float mean[2] = {0.f, 0.f};
  each_tile<P, 2>(others.tiles(tile.first + count - 1), load, [&](int i, int buffer) {
    const bf16* k_tile = others.k(buffer);
    float p[KEYS / 8][4];
    float pds[KEYS / 8][4];
    clear(pds);
    P::begin(pds);
    P::template dots<KEYS, D>(p, q_tile, k_tile);
    if (dq != nullptr) {
      P::template add_dots<KEYS, D>(pds, dq_tile, k_tile);
    }
    if (dk != nullptr) {
      P::template add_dots<KEYS, D>(pds, q_tile, others.dk(buffer));
    }
    P::finish(p, pds);
    TileMask<OWN_ROWS, KEYS, 1>(tile.first - others.first - i * KEYS, window).hide(p);
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        p[j][e] = fast_exp2(scale * p[j][e] - row_lse[e / 2]);
        pds[j][e] *= c * p[j][e];
        mean[e / 2] += pds[j][e];
      }
    }
    uint32_t weights[KEYS / 16][4];
    uint32_t moved[KEYS / 16][4];
    pack_weights(weights, p);
    pack_weights(moved, pds);
    P::begin(sums, weights, moved);
    P::template add_weighted<KEYS, D>(sums, moved, others.v(buffer));
    if (dv != nullptr) {
      P::template add_weighted<KEYS, D>(sums, weights, others.dv(buffer));
    }
    P::finish(sums);
  });
  mean[0] = sum_of_row(mean[0]);
  mean[1] = sum_of_row(mean[1]);
  int64_t own = row0 * o_stride + blockIdx.y * D;
#pragma unroll
  for (int j = 0; j < D / 8; j++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      if (own_row(e) < count) {
        sums[j][e] -= mean[e / 2] * to_float(o[own + own_row(e) * o_stride + other_row(j, e)]);
      }
    }
  }
  store_rows<Own, ALIGNED>(d_o + blockIdx.z * rows * o_stride + own, o_stride, count, q_tile, sums, 1.f, 1.f);
  if (threadIdx.x % 4 == 0) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      if (own_row(2 * h) < count) {
        mu[(blockIdx.z * heads + blockIdx.y) * rows + row0 + own_row(2 * h)] = mean[h];
      }
    }
  }
}

#define ATTENTION_TANGENT(NAME, BOUNDS, P, D, ALIGNED)                                                                 \
  EXPORT_KERNEL(attention_tangent_##NAME##_bf16, BOUNDS, bf16,                                                         \
                (const int32_t* tiles, const int32_t* starts, const T* q, const T* k, const T* v, const T* o,          \
                 const float* lse, const T* dq, const T* dk, const T* dv, T* d_o, float* mu, int64_t rows,             \
                 int64_t heads, int64_t group, int64_t window, int64_t stride, int64_t key_stride, int64_t o_stride,   \
                 float c),                                                                                             \
                (::attention_tangent_tiles<P, D, ALIGNED>(                                                             \
                     tiles, starts, q, k, v, o, lse, dq, dk, dv, d_o, mu, rows, heads, group, window, stride,          \
                     key_stride, o_stride, c)))
