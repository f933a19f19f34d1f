// y = x m gain, where column j of a row's mask is SplitMix64 of the row's seed and j against a threshold, and the row's
// seed is SplitMix64 of the layer's and the row's key; a thread makes a piece of the mask and uses it in each of k
// directions.
#include "elements.cuh"
#include "random.cuh"

// keys (n,2): low and high halves.
DEVICE uint64_t row_seed(int64_t seed, const int32_t* keys, int64_t row) {
  uint64_t low = static_cast<uint32_t>(keys[2 * row]);
  uint64_t high = static_cast<uint32_t>(keys[2 * row + 1]);
  return split_mix_bits(seed, low | high << 32);
}

// x, y (k,n,width); added to y where accumulate is not 0. threshold: the least of a number's upper 53 bits, as an
// integer, that survives.
template <class T>
DEVICE void dropout_apply(const T* x, T* y, const int32_t* keys, int64_t seed, int64_t threshold, float gain,
                          int64_t accumulate, int64_t n, int64_t width, int64_t k) {
  int64_t all = n * width;
  each_piece<T>(all, width % PACK<T> == 0 && aligned_16(x, y), [=](auto pack, int64_t p) {
    constexpr int W = pack.value;
    int64_t row = p / width;
    int64_t column = p - row * width;
    uint64_t of_row = row_seed(seed, keys, row);
    Piece<W> mask = each<W>([&](int e) { return uniform_bits(of_row, column + e) >= threshold ? gain : 0.f; });
    for (int64_t i = p; i < k * all; i += all) {
      Piece<W> in = load<W>(x + i);
      Piece<W> start = load_or_zero<W>(accumulate != 0 ? y : nullptr, i);
      store(y + i, each<W>([&](int e) { return start.v[e] + (mask.v[e] == 0.f ? 0.f : mask.v[e] * in.v[e]); }));
    }
  });
}

KERNEL(dropout_apply, (256),
       (const T* x, T* y, const int32_t* keys, int64_t seed, int64_t threshold, float gain, int64_t accumulate, int64_t n,
        int64_t width, int64_t k),
       (x, y, keys, seed, threshold, gain, accumulate, n, width, k))
