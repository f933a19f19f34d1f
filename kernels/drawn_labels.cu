// Labels drawn from rows of v probabilities, and the adjoints of the head's input that they give. A block takes a row: its
// warps sum equal segments of the row, then each looks for the labels of some draws.
#include "random.cuh"
#include "row_pieces.cuh"

template <int W>
DEVICE double piece_sum(const Piece<W>& x) {
  double sum = 0;
#pragma unroll
  for (int e = 0; e < W; e++) {
    sum += x.v[e];
  }
  return sum;
}

// The sum of the numbers of this lane and of all lanes before it.
DEVICE double sum_to_lane(double x) {
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int lanes = 1; lanes < WARP; lanes *= 2) {
    double before = __shfl_sync(ALL_LANES, x, lane - lanes);
    x = lane >= lanes ? x + before : x;
  }
  return x;
}

constexpr int NO_LABEL = 0x7fffffff;

// The first class from `first` to `end` where the running sum, which begins at `before`, exceeds `bound`; at most the last
// one that is possible. All lanes of a warp call.
template <int W, class T>
DEVICE int find_label(const T* p, int first, int end, double before, double bound) {
  int lane = threadIdx.x % WARP;
  int possible = 0;
#pragma unroll 1
  for (int start = first; start < end; start += WARP * W) {
    int i = start + lane * W;
    Piece<W> x = i < end ? load<W>(p + i) : filled<W>(0.f);
    double to_lane = sum_to_lane(piece_sum(x));
    double to_last = __shfl_sync(ALL_LANES, to_lane, lane - 1);
    double sum = lane == 0 ? before : before + to_last;
    int found = NO_LABEL;
#pragma unroll
    for (int e = 0; e < W; e++) {
      sum += x.v[e];
      bool counts = x.v[e] > 0.f;
      possible = counts ? i + e : possible;
      found = counts && sum > bound && found == NO_LABEL ? i + e : found;
    }
    found = -warp_max(-found);
    if (found != NO_LABEL) {
      return found;
    }
    before += __shfl_sync(ALL_LANES, to_lane, WARP - 1);
  }
  return warp_max(possible);
}

// Draws the labels of one row of p (v): q of them, m apart.
template <int W, class T>
DEVICE void draw_row(const T* p, int32_t* labels, int64_t seed, int64_t row, int64_t q, int64_t m, int v) {
  SHARED_ARRAY(double, of_segment, 32);
  int warp = threadIdx.x / WARP;
  int warps = blockDim.x / WARP;
  int size = (v / W + warps - 1) / warps * W;
  double own = 0;
#pragma unroll 4
  for (int i = warp * size + static_cast<int>(threadIdx.x) % WARP * W; i < min(v, (warp + 1) * size); i += WARP * W) {
    own += piece_sum(load<W>(p + i));
  }
  own = warp_sum(own);
  if (threadIdx.x % WARP == 0) {
    of_segment[warp] = own;
  }
  __syncthreads();
  double all = 0;
  for (int s = 0; s < warps; s++) {
    all += of_segment[s];
  }
#pragma unroll 1
  for (int64_t draw = warp; draw < q; draw += warps) {
    double uniform = uniform_bits(split_mix_bits(seed, draw), row) * (1. / (int64_t{1} << 53));
    double bound = uniform * all;
    int segment = 0;
    double before = 0;
    double sum = 0;
    for (int s = 0; s < warps && !(sum > bound); s++) {
      if (of_segment[s] > 0) {
        segment = s;
        before = sum;
      }
      sum += of_segment[s];
    }
    int label = find_label<W>(p, segment * size, min(v, (segment + 1) * size), before, bound);
    if (threadIdx.x % WARP == 0) {
      labels[draw * m + row] = label;
    }
  }
  __syncthreads();
}

// Elements i on of the row of a class of head (v,d); NaN for a class that is not there.
template <int W, class T>
DEVICE Piece<W> load_class(const T* head, int label, int i, int d, int v) {
  bool known = label >= 0 && label < v;
  return known ? load<W>(head + static_cast<int64_t>(label) * d + i) : filled<W>(not_a_number());
}

// out (d), for each of q labels: sqrt(w) (gx / w + W[target] - W[label]).
template <int W, class T>
DEVICE void adjoints_of_row(const T* head, const T* gx, const int32_t* labels, T* out, int target, float weight,
                            int64_t row, int64_t q, int64_t m, int d, int v) {
  float root = sqrtf(weight);
  float inverse = 1.f / weight;
  each_in_row<W>(d, [&](int i) {
    Piece<W> g = load<W>(gx + row * d + i);
    Piece<W> w = load_class<W>(head, target, i, d, v);
    Piece<W> mean = each<W>([&](int e) { return g.v[e] * inverse + w.v[e]; });
#pragma unroll 2
    for (int64_t draw = 0; draw < q; draw++) {
      int64_t at = draw * m + row;
      Piece<W> drawn = load_class<W>(head, labels[at], i, d, v);
      store(out + at * d + i,
            each<W>([&](int e) { return weight == 0.f ? 0.f : root * (mean.v[e] - drawn.v[e]); }));
    }
  });
}

// head (v,d); p (m,v); targets, weights (m); gx (m,d); labels (q,m); out (q,m,d). A block a row of m. A target outside gives
// NaN.
template <class T>
DEVICE void drawn_labels(const T* head, const T* p, const int32_t* targets, const float* weights, const T* gx,
                         int64_t seed, int32_t* labels, T* out, int64_t q, int64_t m, int64_t d, int64_t v) {
  int64_t row = blockIdx.x;
  if (v % PACK<T> == 0 && aligned_16(p)) {
    draw_row<PACK<T>>(p + row * v, labels, seed, row, q, m, v);
  } else {
    draw_row<1>(p + row * v, labels, seed, row, q, m, v);
  }
  if (d % PACK<T> == 0 && aligned_16(head, gx, out)) {
    adjoints_of_row<PACK<T>>(head, gx, labels, out, targets[row], weights[row], row, q, m, d, v);
  } else {
    adjoints_of_row<1>(head, gx, labels, out, targets[row], weights[row], row, q, m, d, v);
  }
}

KERNEL(drawn_labels, (256, 2),
       (const T* head, const T* p, const int32_t* targets, const float* weights, const T* gx, int64_t seed,
        int32_t* labels, T* out, int64_t q, int64_t m, int64_t d, int64_t v),
       (head, p, targets, weights, gx, seed, labels, out, q, m, d, v))
