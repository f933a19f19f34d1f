// y = c x + f.
#include "elements.cuh"

// x, f, y (n); f may be null, and y may be x or f.
template <class T>
DEVICE void scaled_sum_apply(float c, const T* x, const T* f, T* y, int64_t n) {
  each_piece<T>(n, aligned_16(x, f, y), [=](auto pack, int64_t i) {
    constexpr int W = pack.value;
    Piece<W> in = load<W>(x + i);
    Piece<W> other = load_or_zero<W>(f, i);
    store(y + i, each<W>([&](int e) { return c * in.v[e] + other.v[e]; }));
  });
}

KERNEL(scaled_sum_apply, (256), (float c, const T* x, const T* f, T* y, int64_t n), (c, x, f, y, n))
