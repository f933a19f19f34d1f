// gk = c A^T q and gv = P^T go, or their tangents c (A'^T q + A^T q') and P'^T go + P^T go', on tensor cores. Shapes and
// formulas: attention.cuh, attention_tiles.cuh. blockIdx.x: tile of 64 keys, those seen by most queries first; blockIdx.y: key
// head, whose query heads all add up here; blockIdx.z: direction. Null tangents are zero.
#pragma once

#include "attention_tiles.cuh"

// TANGENT: go and delta are primal, all others of the tangents' arguments count; else go and delta are per direction.
template <class P, int D, bool TANGENT, bool ALIGNED>
DEVICE void attention_key_gradient_tiles(const int32_t* tiles, const int32_t* starts, const bf16* q, const bf16* k,
                                         const bf16* v, const float* lse, const bf16* go, const float* delta,
                                         const bf16* dq, const bf16* dk, const bf16* dv, const float* mu,
                                         const bf16* dgo, const float* ddelta, bf16* gk, bf16* gv, int64_t rows,
                                         int64_t heads, int64_t group, int64_t window, int64_t stride,
                                         int64_t key_stride, int64_t gk_stride, float c) {
  constexpr int QUERIES = D == 128 ? P::QUERIES_OF_128 : 32;
  constexpr int TILES = TANGENT ? 4 : 2;       // of each side: k, v, k', v' and q, go, q', go'
  constexpr int STATISTICS = TANGENT ? 4 : 2;  // of a query: L, D, mu, D'
  constexpr int OWN_ROWS = P::OWN_ROWS;
  using Own = HeadTile<OWN_ROWS, D, P::THREADS>;
  using Other = HeadTile<QUERIES, D, P::THREADS>;
  bf16* shared = P::shared();
  bf16* k_tile = shared;
  bf16* v_tile = k_tile + Own::ELEMENTS;
  bf16* dk_tile = v_tile + Own::ELEMENTS;
  bf16* dv_tile = dk_tile + Own::ELEMENTS;
  bf16* buffers = shared + TILES * Own::ELEMENTS;
  float* statistics = reinterpret_cast<float*>(buffers + 2 * TILES * Other::ELEMENTS);

  OwnTile tile(tiles, gridDim.x - 1 - blockIdx.x, starts, starts, window);
  const AttentionSequence& sequence = tile.sequence;
  int64_t o_stride = heads * D;
  int64_t count = min(int64_t{OWN_ROWS}, sequence.keys - tile.first);
  int64_t at_head = (sequence.key0 + tile.first) * key_stride + blockIdx.y * D;
  int64_t in_direction = blockIdx.z * rows * key_stride + at_head;
  Own::template load<ALIGNED>(k_tile, k + at_head, key_stride, count);
  Own::template load<ALIGNED>(v_tile, v + at_head, key_stride, count);
  if (TANGENT && dk != nullptr) {
    Own::template load<ALIGNED>(dk_tile, dk + in_direction, key_stride, count);
  }
  if (TANGENT && dv != nullptr) {
    Own::template load<ALIGNED>(dv_tile, dv + in_direction, key_stride, count);
  }

  float key_sums[D / 8][4];
  float value_sums[D / 8][4];
  clear(key_sums);
  clear(value_sums);
  int64_t end = sequence.end_query(tile.first + count - 1);
  int tiles_of_head = static_cast<int>((end - tile.first + QUERIES - 1) / QUERIES);
  auto load = [&](int i, int buffer) {
    int64_t head = blockIdx.y * group + i / tiles_of_head;
    int64_t from = tile.first + i % tiles_of_head * QUERIES;
    int64_t left = sequence.queries - from;
    int64_t row0 = sequence.query0 + from;
    int64_t at = row0 * stride + head * D;
    int64_t direction = blockIdx.z * rows * stride + at;
    int64_t at_output = row0 * o_stride + head * D;
    int64_t output_direction = blockIdx.z * rows * o_stride + at_output;
    bf16* q_tile = buffers + buffer * TILES * Other::ELEMENTS;
    Other::template load<ALIGNED>(q_tile, q + at, stride, left);
    Other::template load<ALIGNED>(q_tile + Other::ELEMENTS, go + (TANGENT ? at_output : output_direction), o_stride,
                                  left);
    if (TANGENT && dq != nullptr) {
      Other::template load<ALIGNED>(q_tile + 2 * Other::ELEMENTS, dq + direction, stride, left);
    }
    if (TANGENT && dgo != nullptr) {
      Other::template load<ALIGNED>(q_tile + 3 * Other::ELEMENTS, dgo + output_direction, o_stride, left);
    }
    int64_t at_row = head * rows + row0;
    int64_t directed = blockIdx.z * heads * rows + at_row;
    if (threadIdx.x < STATISTICS * QUERIES) {
      int which = threadIdx.x / QUERIES;
      int query = threadIdx.x % QUERIES;
      const float* source = which == 0   ? lse + at_row
                            : which == 1 ? delta + (TANGENT ? at_row : directed)
                            : which == 2 ? mu + directed
                                         : ddelta + directed;
      bool inside = query < left;  // zeros beyond: such a query has P = 1, and adds nothing as q and go are 0
      copy_async_4(statistics + buffer * STATISTICS * QUERIES + threadIdx.x, inside ? source + query : source,
                   inside ? 4 : 0);
    }
  };

  float scale = c * LOG2_E;
  each_tile<P, 2>(tiles_of_head * static_cast<int>(group), load, [&](int i, int buffer) {
    const bf16* q_tile = buffers + buffer * TILES * Other::ELEMENTS;
    const bf16* go_tile = q_tile + Other::ELEMENTS;
    const bf16* dq_tile = q_tile + 2 * Other::ELEMENTS;
    const bf16* dgo_tile = q_tile + 3 * Other::ELEMENTS;
    const float* of_query = statistics + buffer * STATISTICS * QUERIES;
    float s[QUERIES / 8][4];
    float gp[QUERIES / 8][4];
    float ds[QUERIES / 8][4];
    float dgp[QUERIES / 8][4];
    clear(ds);
    clear(dgp);
    P::begin(ds, dgp);
    P::template dots<QUERIES, D>(s, k_tile, q_tile);
    P::template dots<QUERIES, D>(gp, v_tile, go_tile);
    if (TANGENT) {
      if (dq != nullptr) {
        P::template add_dots<QUERIES, D>(ds, k_tile, dq_tile);
      }
      if (dk != nullptr) {
        P::template add_dots<QUERIES, D>(ds, dk_tile, q_tile);
      }
      if (dgo != nullptr) {
        P::template add_dots<QUERIES, D>(dgp, v_tile, dgo_tile);
      }
      if (dv != nullptr) {
        P::template add_dots<QUERIES, D>(dgp, dv_tile, go_tile);
      }
    }
    P::finish(s, gp, ds, dgp);
    TileMask<OWN_ROWS, QUERIES, -1>(i % tiles_of_head * QUERIES, window).hide(s);
#pragma unroll
    for (int j = 0; j < QUERIES / 8; j++) {
#pragma unroll
      for (int column = 0; column < 2; column++) {
        int query = other_row(j, column);
        AttentionRow row;
        row.lse = LOG2_E * of_query[query];
        row.delta = of_query[QUERIES + query];
        row.mu = TANGENT ? of_query[2 * QUERIES + query] : 0.f;
        row.ddelta = TANGENT ? of_query[3 * QUERIES + query] : 0.f;
#pragma unroll
        for (int e = column; e < 4; e += 2) {
          float p = fast_exp2(scale * s[j][e] - row.lse);
          AttentionPair pair = attention_pair(row, p, c * ds[j][e], gp[j][e], dgp[j][e]);
          s[j][e] = pair.a;
          ds[j][e] = pair.da;
          gp[j][e] = pair.p;
          dgp[j][e] = pair.dp;
        }
      }
    }
    uint32_t a[QUERIES / 16][4];
    uint32_t p[QUERIES / 16][4];
    uint32_t da[QUERIES / 16][4];
    uint32_t dp[QUERIES / 16][4];
    pack_weights(a, s);
    pack_weights(p, gp);
    pack_weights(da, ds);
    pack_weights(dp, dgp);
    P::begin(key_sums, value_sums, a, p, da, dp);
    P::template add_weighted<QUERIES, D>(key_sums, TANGENT ? da : a, q_tile);
    P::template add_weighted<QUERIES, D>(value_sums, TANGENT ? dp : p, go_tile);
    if (TANGENT && dq != nullptr) {
      P::template add_weighted<QUERIES, D>(key_sums, a, dq_tile);
    }
    if (TANGENT && dgo != nullptr) {
      P::template add_weighted<QUERIES, D>(value_sums, p, dgo_tile);
    }
    P::finish(key_sums, value_sums);
  });
  int64_t to = (blockIdx.z * rows + sequence.key0 + tile.first) * gk_stride + blockIdx.y * D;
  store_rows<Own, ALIGNED>(gk + to, gk_stride, count, k_tile, key_sums, c, c);
  store_rows<Own, ALIGNED>(gv + to, gk_stride, count, v_tile, value_sums, 1.f, 1.f);
}

#define ATTENTION_KEY_GRADIENT(NAME, BOUNDS, P, D, ALIGNED)                                                            \
  EXPORT_KERNEL(attention_key_gradient_##NAME##_bf16, BOUNDS, bf16,                                                    \
                (const int32_t* tiles, const int32_t* starts, const T* q, const T* k, const T* v, const float* lse,    \
                 const T* go, const float* delta, T* gk, T* gv, int64_t rows, int64_t heads, int64_t group,            \
                 int64_t window, int64_t stride, int64_t key_stride, int64_t gk_stride, float c),                      \
                (::attention_key_gradient_tiles<P, D, false, ALIGNED>(                                                 \
                     tiles, starts, q, k, v, lse, go, delta, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, gk, \
                     gv, rows, heads, group, window, stride, key_stride, gk_stride, c)))

#define ATTENTION_KEY_GRADIENT_TANGENT(NAME, BOUNDS, P, D, ALIGNED)                                                    \
  EXPORT_KERNEL(attention_key_gradient_tangent_##NAME##_bf16, BOUNDS, bf16,                                            \
                (const int32_t* tiles, const int32_t* starts, const T* q, const T* k, const T* v, const float* lse,    \
                 const T* go, const float* delta, const T* dq, const T* dk, const T* dv, const float* mu,              \
                 const T* dgo, const float* ddelta, T* gk, T* gv, int64_t rows, int64_t heads, int64_t group,          \
                 int64_t window, int64_t stride, int64_t key_stride, int64_t gk_stride, float c),                      \
                (::attention_key_gradient_tiles<P, D, true, ALIGNED>(                                                  \
                     tiles, starts, q, k, v, lse, go, delta, dq, dk, dv, mu, dgo, ddelta, gk, gv, rows, heads, group,  \
                     window, stride, key_stride, gk_stride, c)))
