// gk = c A^T q and gv = P^T go, or their tangents c (A'^T q + A^T q') and P'^T go + P^T go', on tensor cores. Shapes and
// formulas: attention.cuh, attention_tiles.cuh. blockIdx.x: tile of 64 keys, those seen by most queries first; blockIdx.y: key
// head, whose query heads all add up here; blockIdx.z: direction. Null tangents are zero.
#include "attention_tiles.cuh"

// TANGENT: go and delta are primal, all others of the tangents' arguments count; else go and delta are per direction.
template <int D, bool TANGENT>
DEVICE void attention_key_gradient_tiles(const int32_t* tiles, const int32_t* starts, const bf16* q, const bf16* k,
                                         const bf16* v, const float* lse, const bf16* go, const float* delta,
                                         const bf16* dq, const bf16* dk, const bf16* dv, const float* mu,
                                         const bf16* dgo, const float* ddelta, bf16* gk, bf16* gv, int64_t rows,
                                         int64_t heads, int64_t group, int64_t window, float c, bool aligned) {
  constexpr int QUERIES = D == 128 ? 16 : 32;
  constexpr int TILES = TANGENT ? 4 : 2;  // of each side: k, v, k', v' and q, go, q', go'
  using Own = HeadTile<OWN_ROWS, D>;
  using Other = HeadTile<QUERIES, D>;
  DYNAMIC_SHARED(bf16, shared);
  bf16* k_tile = shared;
  bf16* v_tile = k_tile + Own::ELEMENTS;
  bf16* dk_tile = v_tile + Own::ELEMENTS;
  bf16* dv_tile = dk_tile + Own::ELEMENTS;
  bf16* q_tile = shared + TILES * Own::ELEMENTS;
  bf16* go_tile = q_tile + Other::ELEMENTS;
  bf16* dq_tile = go_tile + Other::ELEMENTS;
  bf16* dgo_tile = dq_tile + Other::ELEMENTS;

  OwnTile tile(tiles, gridDim.x - 1 - blockIdx.x, starts, starts, window);
  const AttentionSequence& sequence = tile.sequence;
  int64_t stride = heads * D;
  int64_t key_stride = heads / group * D;
  int64_t count = min(int64_t{OWN_ROWS}, sequence.keys - tile.first);
  int64_t at_head = (sequence.key0 + tile.first) * key_stride + blockIdx.y * D;
  int64_t in_direction = blockIdx.z * rows * key_stride + at_head;
  Own::load(k_tile, k + at_head, key_stride, count, aligned);
  Own::load(v_tile, v + at_head, key_stride, count, aligned);
  if (TANGENT && dk != nullptr) {
    Own::load(dk_tile, dk + in_direction, key_stride, count, aligned);
  }
  if (TANGENT && dv != nullptr) {
    Own::load(dv_tile, dv + in_direction, key_stride, count, aligned);
  }

  float key_sums[D / 8][4];
  float value_sums[D / 8][4];
  clear<D / 8>(key_sums);
  clear<D / 8>(value_sums);
  int64_t end = sequence.end_query(tile.first + count - 1);
  for (int64_t head = blockIdx.y * group; head < (blockIdx.y + 1) * group; head++) {
    for (int64_t from = tile.first; from < end; from += QUERIES) {
      int64_t row0 = sequence.query0 + from;
      int64_t at = row0 * stride + head * D;
      int64_t direction = blockIdx.z * rows * stride + at;
      int64_t left = sequence.queries - from;
      Other::load(q_tile, q + at, stride, left, aligned);
      Other::load(go_tile, go + (TANGENT ? at : direction), stride, left, aligned);
      if (TANGENT && dq != nullptr) {
        Other::load(dq_tile, dq + direction, stride, left, aligned);
      }
      if (TANGENT && dgo != nullptr) {
        Other::load(dgo_tile, dgo + direction, stride, left, aligned);
      }
      copy_async_commit();
      copy_async_wait<0>();
      __syncthreads();
      float s[QUERIES / 8][4];
      float gp[QUERIES / 8][4];
      float ds[QUERIES / 8][4];
      float dgp[QUERIES / 8][4];
      clear<QUERIES / 8>(s);
      clear<QUERIES / 8>(gp);
      clear<QUERIES / 8>(ds);
      clear<QUERIES / 8>(dgp);
      add_dots<QUERIES, D>(s, k_tile, q_tile);
      add_dots<QUERIES, D>(gp, v_tile, go_tile);
      if (TANGENT) {
        if (dq != nullptr) {
          add_dots<QUERIES, D>(ds, k_tile, dq_tile);
        }
        if (dk != nullptr) {
          add_dots<QUERIES, D>(ds, dk_tile, q_tile);
        }
        if (dgo != nullptr) {
          add_dots<QUERIES, D>(dgp, v_tile, dgo_tile);
        }
        if (dv != nullptr) {
          add_dots<QUERIES, D>(dgp, dv_tile, go_tile);
        }
      }
#pragma unroll
      for (int j = 0; j < QUERIES / 8; j++) {
#pragma unroll
        for (int column = 0; column < 2; column++) {
          int64_t query = from + other_row(j, column);
          int64_t at_row = head * rows + sequence.query0 + min(query, sequence.queries - 1);
          int64_t directed = blockIdx.z * heads * rows + at_row;
          AttentionRow row;
          row.lse = lse[at_row];
          row.delta = delta[TANGENT ? at_row : directed];
          row.mu = TANGENT ? mu[directed] : 0.f;
          row.ddelta = TANGENT ? ddelta[directed] : 0.f;
#pragma unroll
          for (int e = column; e < 4; e += 2) {
            bool seen = sequence.sees(query, tile.first + own_row(e));
            float p = seen ? fast_exp(c * s[j][e] - row.lse) : 0.f;
            AttentionPair pair = attention_pair(row, p, c * ds[j][e], gp[j][e], dgp[j][e]);
            s[j][e] = pair.a;
            ds[j][e] = pair.da;
            gp[j][e] = pair.p;
            dgp[j][e] = pair.dp;
          }
        }
      }
      if (TANGENT) {
        add_weighted<QUERIES, D>(key_sums, ds, q_tile);
        add_weighted<QUERIES, D>(value_sums, dgp, go_tile);
        if (dq != nullptr) {
          add_weighted<QUERIES, D>(key_sums, s, dq_tile);
        }
        if (dgo != nullptr) {
          add_weighted<QUERIES, D>(value_sums, gp, dgo_tile);
        }
      } else {
        add_weighted<QUERIES, D>(key_sums, s, q_tile);
        add_weighted<QUERIES, D>(value_sums, gp, go_tile);
      }
      __syncthreads();
    }
  }
  store_rows<D>(gk + in_direction, key_stride, count, key_sums, c, c);
  store_rows<D>(gv + in_direction, key_stride, count, value_sums, 1.f, 1.f);
}

#define ATTENTION_KEY_GRADIENT(D)                                                                                     \
  EXPORT_KERNEL(attention_key_gradient_##D##_bf16, (128, 1), bf16,                                                       \
                (const int32_t* tiles, const int32_t* starts, const T* q, const T* k, const T* v, const float* lse,   \
                 const T* go, const float* delta, T* gk, T* gv, int64_t rows, int64_t heads, int64_t group,           \
                 int64_t window, float c, int64_t aligned),                                                           \
                (::attention_key_gradient_tiles<D, false>(tiles, starts, q, k, v, lse, go, delta, nullptr, nullptr,   \
                                                          nullptr, nullptr, nullptr, nullptr, gk, gv, rows, heads,    \
                                                          group, window, c, aligned != 0)))                           \
  EXPORT_KERNEL(attention_key_gradient_tangent_##D##_bf16, (128, 1), bf16,                                               \
                (const int32_t* tiles, const int32_t* starts, const T* q, const T* k, const T* v, const float* lse,   \
                 const T* go, const float* delta, const T* dq, const T* dk, const T* dv, const float* mu,             \
                 const T* dgo, const float* ddelta, T* gk, T* gv, int64_t rows, int64_t heads, int64_t group,         \
                 int64_t window, float c, int64_t aligned),                                                           \
                (::attention_key_gradient_tiles<D, true>(tiles, starts, q, k, v, lse, go, delta, dq, dk, dv, mu, dgo, \
                                                         ddelta, gk, gv, rows, heads, group, window, c,               \
                                                         aligned != 0)))

ATTENTION_KEY_GRADIENT(32)
ATTENTION_KEY_GRADIENT(64)
ATTENTION_KEY_GRADIENT(128)
