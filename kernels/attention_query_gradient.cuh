// gq = c A k and D, or their tangents c (A' k + A k') and D', on tensor cores. Shapes and formulas: attention.cuh,
// attention_tiles.cuh. blockIdx.x: tile of 64 queries, blockIdx.y: head, blockIdx.z: direction. Null tangents are zero.
#pragma once

#include "attention_tiles.cuh"
#include "elements.cuh"

// This lane's share of the dot of two rows of D elements, a quarter of it. A piece after another: by warpgroups registers are
// all in use.
template <int D, bool ALIGNED>
DEVICE float quarter_of_dot(const bf16* a, const bf16* b) {
  constexpr int W = ALIGNED ? PACK<bf16> : 1;
  float sum = 0.f;
#pragma unroll 1
  for (int i = 0; i < D; i += 4 * W) {
    int at = i + threadIdx.x % 4 * W;
    Piece<W> x = load<W>(a + at);
    Piece<W> y = load<W>(b + at);
#pragma unroll
    for (int e = 0; e < W; e++) {
      sum = fmaf(x.v[e], y.v[e], sum);
    }
  }
  return sum;
}

// TANGENT: go and delta are primal, all others of the tangents' arguments count, and ddelta is written; else go is per
// direction, and delta is written. Rows of o and o' are o_stride apart, those of go and go' dense.
template <class P, int D, bool TANGENT, bool ALIGNED>
DEVICE void attention_query_gradient_tiles(const int32_t* tiles, const int32_t* starts, const bf16* q, const bf16* k,
                                           const bf16* v, const float* lse, const bf16* go, float* delta,
                                           const bf16* dq, const bf16* dk, const bf16* dv, const float* mu,
                                           const bf16* dgo, float* ddelta, const bf16* o, const bf16* d_o,
                                           int64_t o_stride, bf16* gq, int64_t rows, int64_t heads, int64_t group,
                                           int64_t window, int64_t stride, int64_t key_stride, int64_t gq_stride,
                                           float c) {
  constexpr int KEYS = TANGENT ? 32 : P::KEYS_OF_QUERY_GRADIENT;
  constexpr int BUFFERS = TANGENT && D == 128 ? 1 : 2;  // at most 96 KB a block
  constexpr int TILES = TANGENT ? 4 : 2;  // of the own side: q, go, q', go'
  constexpr int OWN_ROWS = P::OWN_ROWS;
  using Own = HeadTile<OWN_ROWS, D, P::THREADS>;
  bf16* shared = P::shared();
  bf16* q_tile = shared;
  bf16* go_tile = q_tile + Own::ELEMENTS;
  bf16* dq_tile = go_tile + Own::ELEMENTS;
  bf16* dgo_tile = dq_tile + Own::ELEMENTS;

  OwnTile tile(tiles, blockIdx.x, starts, starts, window);
  const AttentionSequence& sequence = tile.sequence;
  int64_t go_stride = heads * D;
  int64_t row0 = sequence.query0 + tile.first;
  int64_t count = min(int64_t{OWN_ROWS}, sequence.queries - tile.first);
  int64_t at_head = row0 * stride + blockIdx.y * D;
  int64_t in_direction = blockIdx.z * rows * stride + at_head;
  Own::template load<ALIGNED>(q_tile, q + at_head, stride, count);
  int64_t at_adjoint = row0 * go_stride + blockIdx.y * D;
  int64_t adjoint_in_direction = blockIdx.z * rows * go_stride + at_adjoint;
  const bf16* own_go = go + (TANGENT ? at_adjoint : adjoint_in_direction);
  Own::template load<ALIGNED>(go_tile, own_go, go_stride, count);
  if (TANGENT && dq != nullptr) {
    Own::template load<ALIGNED>(dq_tile, dq + in_direction, stride, count);
  }
  if (TANGENT && dgo != nullptr) {
    Own::template load<ALIGNED>(dgo_tile, dgo + adjoint_in_direction, go_stride, count);
  }

  KeyTiles<P, D, KEYS, TANGENT, ALIGNED> others(sequence, tile.first, k, v, dk, dv, shared + TILES * Own::ELEMENTS, rows,
                                                group, key_stride);
  auto load = [&](int i, int buffer) { others.load(i, buffer); };

  AttentionRow row[2];
#pragma unroll
  for (int h = 0; h < 2; h++) {
    int64_t own = min(int64_t{own_row(2 * h)}, count - 1);
    int64_t at = blockIdx.y * rows + row0 + own;
    int64_t directed = blockIdx.z * heads * rows + at;
    const bf16* go_row = own_go + own * go_stride;
    const bf16* o_row = o + (row0 + own) * o_stride + blockIdx.y * D;
    float dot;
    if constexpr (TANGENT) {
      dot = quarter_of_dot<D, ALIGNED>(go_row, d_o + (blockIdx.z * rows + row0 + own) * o_stride + blockIdx.y * D);
      if (dgo != nullptr) {
        dot += quarter_of_dot<D, ALIGNED>(dgo + adjoint_in_direction + own * go_stride, o_row);
      }
    } else {
      dot = quarter_of_dot<D, ALIGNED>(go_row, o_row);
    }
    dot = sum_of_row(dot);
    row[h].lse = LOG2_E * lse[at];
    row[h].delta = TANGENT ? delta[at] : dot;
    row[h].mu = TANGENT ? mu[directed] : 0.f;
    row[h].ddelta = TANGENT ? dot : 0.f;
    if (threadIdx.x % 4 == 0 && own_row(2 * h) < count) {
      (TANGENT ? ddelta : delta)[directed] = dot;
    }
  }
  float scale = c * LOG2_E;
  float sums[D / 8][4];
  clear(sums);
  each_tile<P, BUFFERS>(others.tiles(tile.first + count - 1), load, [&](int i, int buffer) {
    const bf16* k_tile = others.k(buffer);
    const bf16* v_tile = others.v(buffer);
    const bf16* dk_tile = others.dk(buffer);
    const bf16* dv_tile = others.dv(buffer);
    float s[KEYS / 8][4];
    float gp[KEYS / 8][4];
    float ds[KEYS / 8][4];
    float dgp[KEYS / 8][4];
    clear(ds);
    clear(dgp);
    P::begin(ds, dgp);
    P::template dots<KEYS, D>(s, q_tile, k_tile);
    P::template dots<KEYS, D>(gp, go_tile, v_tile);
    if (TANGENT) {
      if (dq != nullptr) {
        P::template add_dots<KEYS, D>(ds, dq_tile, k_tile);
      }
      if (dk != nullptr) {
        P::template add_dots<KEYS, D>(ds, q_tile, dk_tile);
      }
      if (dgo != nullptr) {
        P::template add_dots<KEYS, D>(dgp, dgo_tile, v_tile);
      }
      if (dv != nullptr) {
        P::template add_dots<KEYS, D>(dgp, go_tile, dv_tile);
      }
    }
    P::finish(s, gp, ds, dgp);
    TileMask<OWN_ROWS, KEYS, 1>(tile.first - others.first - i * KEYS, window).hide(s);
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        float p = fast_exp2(scale * s[j][e] - row[e / 2].lse);
        AttentionPair pair = attention_pair(row[e / 2], p, c * ds[j][e], gp[j][e], dgp[j][e]);
        s[j][e] = pair.a;
        ds[j][e] = pair.da;
      }
    }
    uint32_t a[KEYS / 16][4];
    uint32_t da[KEYS / 16][4];
    pack_weights(a, s);
    pack_weights(da, ds);
    P::begin(sums, a, da);
    P::template add_weighted<KEYS, D>(sums, TANGENT ? da : a, k_tile);
    if (TANGENT && dk != nullptr) {
      P::template add_weighted<KEYS, D>(sums, a, dk_tile);
    }
    P::finish(sums);
  });
  int64_t to = (blockIdx.z * rows + row0) * gq_stride + blockIdx.y * D;
  store_rows<Own, ALIGNED>(gq + to, gq_stride, count, q_tile, sums, c, c);
}

#define ATTENTION_QUERY_GRADIENT(NAME, BOUNDS, P, D, ALIGNED)                                                          \
  EXPORT_KERNEL(attention_query_gradient_##NAME##_bf16, BOUNDS, bf16,                                                  \
                (const int32_t* tiles, const int32_t* starts, const T* q, const T* k, const T* v, const float* lse,    \
                 const T* go, float* delta, const T* o, int64_t o_stride, T* gq, int64_t rows, int64_t heads,          \
                 int64_t group, int64_t window, int64_t stride, int64_t key_stride, int64_t gq_stride, float c),       \
                (::attention_query_gradient_tiles<P, D, false, ALIGNED>(                                               \
                     tiles, starts, q, k, v, lse, go, delta, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, o,  \
                     nullptr, o_stride, gq, rows, heads, group, window, stride, key_stride, gq_stride, c)))

#define ATTENTION_QUERY_GRADIENT_TANGENT(NAME, BOUNDS, P, D, ALIGNED)                                                  \
  EXPORT_KERNEL(attention_query_gradient_tangent_##NAME##_bf16, BOUNDS, bf16,                                          \
                (const int32_t* tiles, const int32_t* starts, const T* q, const T* k, const T* v, const float* lse,    \
                 const T* go, float* delta, const T* dq, const T* dk, const T* dv, const float* mu, const T* dgo,      \
                 float* ddelta, const T* o, const T* d_o, int64_t o_stride, T* gq, int64_t rows, int64_t heads,        \
                 int64_t group, int64_t window, int64_t stride, int64_t key_stride, int64_t gq_stride, float c),       \
                (::attention_query_gradient_tiles<P, D, true, ALIGNED>(                                                \
                     tiles, starts, q, k, v, lse, go, delta, dq, dk, dv, mu, dgo, ddelta, o, d_o, o_stride, gq, rows,  \
                     heads, group, window, stride, key_stride, gq_stride, c)))
