// Attention for every head size up to 256 and both types, in float32 arithmetic: one warp a row. Against 32 rows of the
// other side at a time, each lane computes one pair's dots; then lanes share out the head's elements for the sums.
//
// q, o and their tangents and adjoints are (N,heads,d), k and v (N,key_heads,d); statistics (heads,N). Rows are as far apart
// as the strides say: of q, of k and v, of o, and of their tangents alike; the adjoint of o is dense. blockIdx.x: four rows,
// blockIdx.y: head, blockIdx.z: direction. Null tangents are zero. Long because the
// four modes share how a row is walked.
#include "attention.cuh"
#include "elements.cuh"

constexpr int PLAIN_WARPS = 4;
constexpr int PLAIN_CHUNKS = 8;  // of 32 elements of a head

// x . y over a head, 0 where either is absent.
template <class T>
DEVICE float plain_dot(const T* x, const T* y, int64_t d) {
  float sum = 0.f;
  if (x != nullptr && y != nullptr) {
    for (int64_t i = 0; i < d; i++) {
      sum = fmaf(to_float(x[i]), to_float(y[i]), sum);
    }
  }
  return sum;
}

// A row of a head of a tensor of rows `stride` apart, or null.
template <class T>
DEVICE const T* plain_row(const T* x, int64_t row, int64_t stride, int64_t head, int64_t d) {
  return x == nullptr ? nullptr : x + row * stride + head * d;
}

// Sums over rows of weight * row, each lane the elements lane, lane + 32 and so on of the head.
struct PlainSums {
  float values[PLAIN_CHUNKS];

  DEVICE_MEMBER PlainSums() {
#pragma unroll
    for (int i = 0; i < PLAIN_CHUNKS; i++) {
      values[i] = 0.f;
    }
  }

  DEVICE_MEMBER void scale(float factor) {
#pragma unroll
    for (int i = 0; i < PLAIN_CHUNKS; i++) {
      values[i] *= factor;
    }
  }

  template <class T>
  DEVICE_MEMBER void add(float weight, const T* row, int64_t d) {
    if (row == nullptr || weight == 0.f) {
      return;
    }
#pragma unroll
    for (int i = 0; i < PLAIN_CHUNKS; i++) {
      int e = i * WARP + threadIdx.x % WARP;
      if (e < d) {
        values[i] = fmaf(weight, to_float(row[e]), values[i]);
      }
    }
  }

  template <class T>
  DEVICE_MEMBER void store(float factor, T* row, int64_t d) const {
#pragma unroll
    for (int i = 0; i < PLAIN_CHUNKS; i++) {
      int e = i * WARP + threadIdx.x % WARP;
      if (e < d) {
        row[e] = from_float<T>(factor * values[i]);
      }
    }
  }
};

DEVICE float plain_warp_sum(float x) {
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    x += __shfl_xor_sync(ALL_LANES, x, offset);
  }
  return x;
}

DEVICE float plain_warp_max(float x) {
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, offset));
  }
  return x;
}

// The row that this warp works on; at or beyond the end: none.
DEVICE int64_t plain_own_row() { return static_cast<int64_t>(blockIdx.x) * PLAIN_WARPS + threadIdx.x / WARP; }

template <class T>
DEVICE void attention_forward_plain(const int32_t* sequences, const int32_t* query_starts, const int32_t* key_starts,
                                    const T* q, const T* k, const T* v, T* o, float* lse, int64_t rows, int64_t heads,
                                    int64_t group, int64_t d, int64_t window, int64_t stride, int64_t key_stride,
                                    int64_t o_stride, float c) {
  SHARED_ARRAY(float, weights, PLAIN_WARPS * WARP);
  float* weight = weights + threadIdx.x / WARP * WARP;
  int64_t row = plain_own_row();
  if (row >= rows) {
    return;
  }
  int64_t head = blockIdx.y;
  int lane = threadIdx.x % WARP;
  AttentionSequence sequence(query_starts, key_starts, sequences[row], window);
  int64_t query = row - sequence.query0;
  const T* own = plain_row(q, row, stride, head, d);
  PlainSums sums;
  float most = -INFINITY;
  float total = 0.f;
  for (int64_t from = sequence.first_key(query); from <= sequence.last_key(query); from += WARP) {
    int64_t key = from + lane;
    bool seen = key <= sequence.last_key(query);
    const T* other = plain_row(k, sequence.key0 + (seen ? key : from), key_stride, head / group, d);
    float s = seen ? c * plain_dot(own, other, d) : -INFINITY;
    float larger = fmaxf(most, plain_warp_max(s));
    float shrink = expf(most - larger);
    most = larger;
    float p = expf(s - most);
    total = total * shrink + plain_warp_sum(p);
    sums.scale(shrink);
    weight[lane] = p;
    __syncwarp();
    for (int j = 0; j < WARP && from + j <= sequence.last_key(query); j++) {
      sums.add(weight[j], plain_row(v, sequence.key0 + from + j, key_stride, head / group, d), d);
    }
    __syncwarp();
  }
  sums.store(1.f / total, o + row * o_stride + head * d, d);
  if (lse != nullptr && lane == 0) {
    lse[head * rows + row] = most + logf(total);
  }
}

// o' = (P S') v + P v' - mu o, and mu
template <class T>
DEVICE void attention_tangent_plain(const int32_t* sequences, const int32_t* starts, const T* q, const T* k, const T* v,
                                    const T* o, const float* lse, const T* dq, const T* dk, const T* dv, T* d_o,
                                    float* mu, int64_t rows, int64_t heads, int64_t group, int64_t d, int64_t window,
                                    int64_t stride, int64_t key_stride, int64_t o_stride, float c) {
  SHARED_ARRAY(float, weights, PLAIN_WARPS * WARP * 2);
  float* weight = weights + threadIdx.x / WARP * WARP * 2;
  int64_t row = plain_own_row();
  if (row >= rows) {
    return;
  }
  int64_t head = blockIdx.y;
  int64_t direction = blockIdx.z * rows;
  int lane = threadIdx.x % WARP;
  AttentionSequence sequence(starts, starts, sequences[row], window);
  int64_t query = row - sequence.query0;
  const T* own = plain_row(q, row, stride, head, d);
  const T* down = plain_row(dq, direction + row, stride, head, d);
  float row_lse = lse[head * rows + row];
  PlainSums sums;
  float mean = 0.f;
  for (int64_t from = sequence.first_key(query); from <= sequence.last_key(query); from += WARP) {
    bool seen = from + lane <= sequence.last_key(query);
    int64_t key = sequence.key0 + (seen ? from + lane : from);
    const T* other = plain_row(k, key, key_stride, head / group, d);
    const T* dother = plain_row(dk, direction + key, key_stride, head / group, d);
    float p = seen ? expf(c * plain_dot(own, other, d) - row_lse) : 0.f;
    float pds = p * c * (plain_dot(down, other, d) + plain_dot(own, dother, d));
    mean += plain_warp_sum(pds);
    weight[lane] = p;
    weight[WARP + lane] = pds;
    __syncwarp();
    for (int j = 0; j < WARP && from + j <= sequence.last_key(query); j++) {
      int64_t at = sequence.key0 + from + j;
      sums.add(weight[WARP + j], plain_row(v, at, key_stride, head / group, d), d);
      sums.add(weight[j], plain_row(dv, direction + at, key_stride, head / group, d), d);
    }
    __syncwarp();
  }
  sums.add(-mean, plain_row(o, row, o_stride, head, d), d);
  sums.store(1.f, d_o + (direction + row) * o_stride + head * d, d);
  if (lane == 0) {
    mu[(blockIdx.z * heads + head) * rows + row] = mean;
  }
}

// What the gradients of one side need of a query: vectors and statistics.
template <class T>
struct PlainQuery {
  const T* q;
  const T* dq;
  const T* go;
  const T* dgo;
  AttentionRow statistics;

  DEVICE_MEMBER PlainQuery(const T* queries, const T* dqueries, const T* adjoints, const T* dadjoints, const float* lse,
                           const float* mu, const float* delta, const float* ddelta, int64_t row, int64_t rows,
                           int64_t stride, int64_t heads, int64_t head, int64_t d,
                           int64_t adjoint_direction)
      : q(plain_row(queries, row, stride, head, d)),
        dq(plain_row(dqueries, blockIdx.z * rows + row, stride, head, d)),
        go(plain_row(adjoints, adjoint_direction * rows + row, heads * d, head, d)),
        dgo(plain_row(dadjoints, blockIdx.z * rows + row, heads * d, head, d)) {
    int64_t at = head * rows + row;
    int64_t in_direction = blockIdx.z * heads * rows + at;
    statistics.lse = lse[at];
    statistics.mu = attention_statistic(mu, in_direction);
    statistics.delta = delta[adjoint_direction * heads * rows + at];
    statistics.ddelta = attention_statistic(ddelta, in_direction);
  }
};

// And of a key.
template <class T>
struct PlainKey {
  const T* k;
  const T* dk;
  const T* v;
  const T* dv;

  DEVICE_MEMBER PlainKey(const T* keys, const T* dkeys, const T* values, const T* dvalues, int64_t row, int64_t rows,
                         int64_t stride, int64_t head, int64_t d)
      : k(plain_row(keys, row, stride, head, d)),
        dk(plain_row(dkeys, blockIdx.z * rows + row, stride, head, d)),
        v(plain_row(values, row, stride, head, d)),
        dv(plain_row(dvalues, blockIdx.z * rows + row, stride, head, d)) {}
};

template <class T>
DEVICE AttentionPair plain_pair(const PlainQuery<T>& query, const PlainKey<T>& key, bool seen, int64_t d, float c) {
  float s = c * plain_dot(query.q, key.k, d);
  float ds = c * (plain_dot(query.dq, key.k, d) + plain_dot(query.q, key.dk, d));
  float gp = plain_dot(query.go, key.v, d);
  float dgp = plain_dot(query.dgo, key.v, d) + plain_dot(query.go, key.dv, d);
  float p = seen ? expf(s - query.statistics.lse) : 0.f;
  return attention_pair(query.statistics, p, ds, gp, dgp);
}

// gq = c A k where there is no mu; else gq' = c (A' k + A k'). primal_adjoint: whether go is the same in all directions.
template <class T>
DEVICE void attention_query_gradient_plain(const int32_t* sequences, const int32_t* starts, const T* q, const T* k,
                                           const T* v, const float* lse, const T* go, const float* delta, const T* dq,
                                           const T* dk, const T* dv, const float* mu, const T* dgo, const float* ddelta,
                                           T* gq, int64_t rows, int64_t heads, int64_t group, int64_t d, int64_t window,
                                           int64_t stride, int64_t key_stride, int64_t gq_stride, float c) {
  SHARED_ARRAY(float, weights, PLAIN_WARPS * WARP * 2);
  float* weight = weights + threadIdx.x / WARP * WARP * 2;
  int64_t row = plain_own_row();
  if (row >= rows) {
    return;
  }
  bool tangent = mu != nullptr;
  int64_t head = blockIdx.y;
  int lane = threadIdx.x % WARP;
  AttentionSequence sequence(starts, starts, sequences[row], window);
  int64_t query = row - sequence.query0;
  int64_t last = sequence.last_key(query);
  PlainQuery<T> own(q, dq, go, dgo, lse, mu, delta, ddelta, row, rows, stride, heads, head, d,
                    tangent ? 0 : blockIdx.z);
  PlainSums sums;
  for (int64_t from = sequence.first_key(query); from <= last; from += WARP) {
    bool seen = from + lane <= last;
    int64_t at = sequence.key0 + (seen ? from + lane : from);
    PlainKey<T> other(k, dk, v, dv, at, rows, key_stride, head / group, d);
    AttentionPair pair = plain_pair(own, other, seen, d, c);
    weight[lane] = tangent ? pair.da : pair.a;
    weight[WARP + lane] = pair.a;
    __syncwarp();
    for (int j = 0; j < WARP && from + j <= last; j++) {
      PlainKey<T> key(k, dk, v, dv, sequence.key0 + from + j, rows, key_stride, head / group, d);
      sums.add(weight[j], key.k, d);
      if (tangent) {
        sums.add(weight[WARP + j], key.dk, d);
      }
    }
    __syncwarp();
  }
  sums.store(c, gq + (blockIdx.z * rows + row) * gq_stride + head * d, d);
}

// gk = c A^T q, gv = P^T go where there is no mu; else their tangents. blockIdx.y: key head.
template <class T>
DEVICE void attention_key_gradient_plain(const int32_t* sequences, const int32_t* starts, const T* q, const T* k,
                                         const T* v, const float* lse, const T* go, const float* delta, const T* dq,
                                         const T* dk, const T* dv, const float* mu, const T* dgo, const float* ddelta,
                                         T* gk, T* gv, int64_t rows, int64_t heads, int64_t group, int64_t d,
                                         int64_t window, int64_t stride, int64_t key_stride, int64_t gk_stride,
                                         float c) {
  SHARED_ARRAY(float, weights, PLAIN_WARPS * WARP * 4);
  float* weight = weights + threadIdx.x / WARP * WARP * 4;
  int64_t row = plain_own_row();
  if (row >= rows) {
    return;
  }
  bool tangent = mu != nullptr;
  int64_t adjoint_direction = tangent ? 0 : blockIdx.z;
  int lane = threadIdx.x % WARP;
  AttentionSequence sequence(starts, starts, sequences[row], window);
  int64_t key = row - sequence.key0;
  int64_t end = sequence.end_query(key);
  PlainKey<T> own(k, dk, v, dv, row, rows, key_stride, blockIdx.y, d);
  PlainSums key_sums;
  PlainSums value_sums;
  for (int64_t head = blockIdx.y * group; head < (blockIdx.y + 1) * group; head++) {
    for (int64_t from = key; from < end; from += WARP) {
      bool seen = from + lane < end;
      int64_t at = sequence.query0 + (seen ? from + lane : from);
      PlainQuery<T> other(q, dq, go, dgo, lse, mu, delta, ddelta, at, rows, stride, heads, head, d,
                          adjoint_direction);
      AttentionPair pair = plain_pair(other, own, seen, d, c);
      weight[lane] = tangent ? pair.da : pair.a;
      weight[WARP + lane] = pair.a;
      weight[2 * WARP + lane] = tangent ? pair.dp : pair.p;
      weight[3 * WARP + lane] = pair.p;
      __syncwarp();
      for (int j = 0; j < WARP && from + j < end; j++) {
        int64_t query = sequence.query0 + from + j;
        int64_t directed = blockIdx.z * rows + query;
        key_sums.add(weight[j], plain_row(q, query, stride, head, d), d);
        value_sums.add(weight[2 * WARP + j], plain_row(go, adjoint_direction * rows + query, heads * d, head, d), d);
        if (tangent) {
          key_sums.add(weight[WARP + j], plain_row(dq, directed, stride, head, d), d);
          value_sums.add(weight[3 * WARP + j], plain_row(dgo, directed, heads * d, head, d), d);
        }
      }
      __syncwarp();
    }
  }
  int64_t to = (blockIdx.z * rows + row) * gk_stride + blockIdx.y * d;
  key_sums.store(c, gk + to, d);
  value_sums.store(1.f, gv + to, d);
}

// D = rowsum(go o), or D' = rowsum(go' o + go o') where go' (which may be null) and o' are given. rows of one direction; one
// warp a row and head. delta is (k,heads,rows).
template <class T>
DEVICE void attention_delta(const T* o, const T* go, const T* d_o, const T* dgo, float* delta, int64_t rows,
                            int64_t heads, int64_t d, int64_t o_stride) {
  int64_t row = plain_own_row();
  if (row >= rows) {
    return;
  }
  int64_t at = (row * heads + blockIdx.y) * d;
  int64_t in_direction = blockIdx.z * rows * heads * d + at;
  const T* own = o + row * o_stride + blockIdx.y * d;
  const T* down = d_o == nullptr ? nullptr : d_o + (blockIdx.z * rows + row) * o_stride + blockIdx.y * d;
  bool tangent = d_o != nullptr;
  float sum = 0.f;
  for (int64_t i = threadIdx.x % WARP; i < d; i += WARP) {
    if (tangent) {
      sum = fmaf(to_float(go[at + i]), to_float(down[i]), sum);
      sum = fmaf(or_zero(dgo, in_direction + i), to_float(own[i]), sum);
    } else {
      sum = fmaf(to_float(go[in_direction + i]), to_float(own[i]), sum);
    }
  }
  sum = plain_warp_sum(sum);
  if (threadIdx.x % WARP == 0) {
    delta[(blockIdx.z * heads + blockIdx.y) * rows + row] = sum;
  }
}

KERNEL(attention_forward_plain, (128, 1),
       (const int32_t* sequences, const int32_t* query_starts, const int32_t* key_starts, const T* q, const T* k,
        const T* v, T* o, float* lse, int64_t rows, int64_t heads, int64_t group, int64_t d, int64_t window,
        int64_t stride, int64_t key_stride, int64_t o_stride, float c),
       (sequences, query_starts, key_starts, q, k, v, o, lse, rows, heads, group, d, window, stride, key_stride, o_stride, c))
KERNEL(attention_tangent_plain, (128, 1),
       (const int32_t* sequences, const int32_t* starts, const T* q, const T* k, const T* v, const T* o,
        const float* lse, const T* dq, const T* dk, const T* dv, T* d_o, float* mu, int64_t rows, int64_t heads,
        int64_t group, int64_t d, int64_t window, int64_t stride,
        int64_t key_stride, int64_t o_stride, float c),
       (sequences, starts, q, k, v, o, lse, dq, dk, dv, d_o, mu, rows, heads, group, d, window, stride, key_stride,
        o_stride, c))
KERNEL(attention_query_gradient_plain, (128, 1),
       (const int32_t* sequences, const int32_t* starts, const T* q, const T* k, const T* v, const float* lse,
        const T* go, const float* delta, const T* dq, const T* dk, const T* dv, const float* mu, const T* dgo,
        const float* ddelta, T* gq, int64_t rows, int64_t heads, int64_t group, int64_t d, int64_t window,
        int64_t stride, int64_t key_stride, int64_t gq_stride, float c),
       (sequences, starts, q, k, v, lse, go, delta, dq, dk, dv, mu, dgo, ddelta, gq, rows, heads, group, d, window, stride,
        key_stride, gq_stride, c))
KERNEL(attention_key_gradient_plain, (128, 1),
       (const int32_t* sequences, const int32_t* starts, const T* q, const T* k, const T* v, const float* lse,
        const T* go, const float* delta, const T* dq, const T* dk, const T* dv, const float* mu, const T* dgo,
        const float* ddelta, T* gk, T* gv, int64_t rows, int64_t heads, int64_t group, int64_t d, int64_t window,
        int64_t stride, int64_t key_stride, int64_t gk_stride, float c),
       (sequences, starts, q, k, v, lse, go, delta, dq, dk, dv, mu, dgo, ddelta, gk, gv, rows, heads, group, d, window,
        stride, key_stride, gk_stride, c))
KERNEL(attention_delta, (128),
       (const T* o, const T* go, const T* d_o, const T* dgo, float* delta, int64_t rows, int64_t heads, int64_t d,
        int64_t o_stride),
       (o, go, d_o, dgo, delta, rows, heads, d, o_stride))
