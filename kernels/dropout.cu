// y = x m gain, where element i of the mask is SplitMix64 of seed and i against a threshold; a thread makes a piece
// of the mask and uses it in each of k directions.
#include "elements.cuh"
#include "random.cuh"

// x, y (k,n); added to y where accumulate is not 0. threshold: the least of the 53 bits that survives.
template <class T>
DEVICE void dropout_apply(const T* x, T* y, int64_t seed, int64_t threshold, float gain, int64_t accumulate,
                          int64_t n, int64_t k) {
  each_piece<T>(n, whole_packs<T>(n, k) && aligned_16(x, y), [=](auto width, int64_t p) {
    constexpr int W = width.value;
    Piece<W> mask = each<W>([&](int e) { return uniform_bits(seed, p + e) >= threshold ? gain : 0.f; });
    for (int64_t i = p; i < k * n; i += n) {
      Piece<W> in = load<W>(x + i);
      Piece<W> start = load_or_zero<W>(accumulate != 0 ? y : nullptr, i);
      store(y + i, each<W>([&](int e) { return start.v[e] + (mask.v[e] == 0.f ? 0.f : mask.v[e] * in.v[e]); }));
    }
  });
}

KERNEL(dropout_apply, (256),
       (const T* x, T* y, int64_t seed, int64_t threshold, float gain, int64_t accumulate, int64_t n, int64_t k),
       (x, y, seed, threshold, gain, accumulate, n, k))
