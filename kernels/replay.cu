// One optimizer step of a recorded run and of k runs beside it, which differ from it by a change of the gradient: each
// vector passes once. T: the recorded gradient; everything else is float32.
#include "optimizer.cuh"
#include "reduce.cuh"

// What a run has for its own: a row of `settings` (k,4).
struct RunSettings {
  float clip;
  float rate;
  float root;
  float moves;  // 0: this run takes no step
};

DEVICE RunSettings settings_of(const float* settings, int64_t run) {
  const float* row = settings + 4 * run;
  return {row[0], row[1], row[2], row[3]};
}

template <int W>
DEVICE Piece<W> scaled(float a, const Piece<W>& x) {
  return each<W>([&](int e) { return rounded_product(a, x.v[e]); });
}

// g + change, and g itself where nothing changes, which keeps the sign of a zero.
template <int W>
DEVICE Piece<W> changed(const Piece<W>& g, const Piece<W>& change) {
  return each<W>([&](int e) { return change.v[e] == 0.f ? g.v[e] : g.v[e] + change.v[e]; });
}

// g (n); change, difference (k,n). step(run, x, at) takes a run's step, the recorded one's for -1, from its gradient x at
// element `at` of its vectors, and gives the new theta; theta(at) reads that of a run which takes none.
template <class T, class Step>
DEVICE void replay(const T* g, float clip, const float* change, const float* settings, const float* thetas,
                   float* difference, int64_t n, int64_t k, bool packed, Step step) {
  each_piece<T>(n, packed && aligned_16(g, change, thetas, difference) && (k <= 1 || n % PACK<T> == 0),
                [=](auto width, int64_t i) {
                  constexpr int W = width.value;
                  Piece<W> gradient = load<W>(g + i);
                  Piece<W> recorded = step(int64_t{-1}, RunSettings{}, scaled(clip, gradient), i);
                  for (int64_t run = 0; run < k; run++) {
                    int64_t at = run * n + i;
                    RunSettings own = settings_of(settings, run);
                    Piece<W> theta;
                    if (own.moves != 0.f) {
                      theta = step(run, own, scaled(own.clip, changed(gradient, load<W>(change + at))), at);
                    } else {
                      theta = load<W>(thetas + at);
                    }
                    store(difference + at, each<W>([&](int e) { return theta.v[e] - recorded.v[e]; }));
                  }
                });
}

// theta, m, v (n); thetas, ms, vs (k,n); first: the recorded run's step.
template <class T>
DEVICE void replay_adamw(const T* g, float clip, const float* change, const float* settings, float* theta, float* m,
                         float* v, float* thetas, float* ms, float* vs, float* difference, int64_t n, int64_t k,
                         const AdamWStep& first) {
  replay(g, clip, change, settings, thetas, difference, n, k, aligned_16(theta, m, v) && aligned_16(ms, vs),
         [=](int64_t run, const RunSettings& own, const auto& x, int64_t at) {
           if (run < 0) {
             return adamw(first, x, theta + at, m + at, v + at);
           }
           AdamWStep step = first;
           step.rate = own.rate;
           step.root = own.root;
           return adamw(step, x, thetas + at, ms + at, vs + at);
         });
}

// theta, buffer (n); thetas, buffers (k,n).
template <class T>
DEVICE void replay_sgd(const T* g, float clip, const float* change, const float* settings, float* theta, float* buffer,
                       float* thetas, float* buffers, float* difference, int64_t n, int64_t k, float rate,
                       float momentum, float decay) {
  replay(g, clip, change, settings, thetas, difference, n, k, aligned_16(theta, buffer, buffers),
         [=](int64_t run, const RunSettings&, const auto& x, int64_t at) {
           return run < 0 ? descend(rate, momentum, decay, x, theta + at, buffer + at)
                          : descend(rate, momentum, decay, x, thetas + at, buffers + at);
         });
}

// Runs whose norms a block sums together.
constexpr int RUNS = 4;

// Squares of g (n) and of g + change (k,n), one sum a block: of_block (1+k, blocks). Elements are taken as vector_dot takes
// them, whatever the runs are.
template <class T>
DEVICE void replay_norms(const T* g, const float* change, double* of_block, int64_t n, int64_t k) {
  int64_t first = static_cast<int64_t>(blockIdx.y) * RUNS;
  bool packed = aligned_16(change) && (k <= 1 || n % PACK<T> == 0);
  double recorded = 0;
  double sums[RUNS] = {};
  each_piece<T>(n, aligned_16(g), [&](auto width, int64_t i) {
    constexpr int W = width.value;
    Piece<W> gradient = load<W>(g + i);
#pragma unroll
    for (int e = 0; e < W; e++) {
      recorded += static_cast<double>(gradient.v[e]) * static_cast<double>(gradient.v[e]);
    }
#pragma unroll
    for (int r = 0; r < RUNS; r++) {
      if (first + r < k) {
        const float* from = change + (first + r) * n + i;
        Piece<W> x = changed(gradient, packed ? load<W>(from) : each<W>([&](int e) { return from[e]; }));
#pragma unroll
        for (int e = 0; e < W; e++) {
          sums[r] += static_cast<double>(x.v[e]) * static_cast<double>(x.v[e]);
        }
      }
    }
  });
  recorded = block_sum(recorded);
  if (first == 0 && threadIdx.x == 0) {
    of_block[blockIdx.x] = recorded;
  }
#pragma unroll
  for (int r = 0; r < RUNS; r++) {
    double sum = block_sum(sums[r]);
    if (first + r < k && threadIdx.x == 0) {
      of_block[(1 + first + r) * gridDim.x + blockIdx.x] = sum;
    }
  }
}

KERNEL(replay_adamw, (256, 2),
       (const T* g, float clip, const float* change, const float* settings, float* theta, float* m, float* v,
        float* thetas, float* ms, float* vs, float* difference, int64_t n, int64_t k, float shrink, float rest1,
        float beta2, float rest2, float rate, float root, float epsilon),
       (g, clip, change, settings, theta, m, v, thetas, ms, vs, difference, n, k,
        {shrink, rest1, beta2, rest2, rate, root, epsilon}))
KERNEL(replay_sgd, (256, 2),
       (const T* g, float clip, const float* change, const float* settings, float* theta, float* buffer, float* thetas,
        float* buffers, float* difference, int64_t n, int64_t k, float rate, float momentum, float decay),
       (g, clip, change, settings, theta, buffer, thetas, buffers, difference, n, k, rate, momentum, decay))
KERNEL(replay_norms, (256), (const T* g, const float* change, double* of_block, int64_t n, int64_t k),
       (g, change, of_block, n, k))
