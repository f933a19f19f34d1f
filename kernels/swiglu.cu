// h = silu(a) b with silu(a) = a sigma(a), sigma = 1 / (1 + exp(-a)); f = a sigma,
// f' = sigma (1 + a (1 - sigma)), f'' = sigma (1 - sigma) (2 + a (1 - 2 sigma)).
//
// Primal tensors have n elements, tangents and adjoints k n: the primal repeats per direction and is read
// once for all. A null tangent is zero. A thread takes a piece of the primal and its k directions.
#include "device.cuh"
#include "elements.cuh"

struct Silu {
  float value;   // f
  float first;   // f'
  float second;  // f''
};

DEVICE Silu silu(float a) {
  // Both sigma and 1 - sigma to full relative accuracy, from one exponential that cannot overflow.
  float small = fast_exp(-fabsf(a));
  float larger = fast_reciprocal(1.f + small);
  float smaller = small * larger;
  float sigma = a < 0.f ? smaller : larger;
  float rest = a < 0.f ? larger : smaller;
  // a sigma (1 - sigma) is a finite number times 0 where sigma is 0 or 1.
  return {a * sigma, sigma * (1.f + a * rest), sigma * rest * (2.f + a * (rest - sigma))};
}

// h = f b
template <class T>
DEVICE void swiglu_forward(const T* a, const T* b, T* h, int64_t n) {
  each_piece<T>(n, aligned_16(a, b, h), [=](auto width, int64_t i) {
    constexpr int W = width.value;
    Piece<W> x = load<W>(a + i);
    Piece<W> y = load<W>(b + i);
    store(h + i, each<W>([&](int e) { return silu(x.v[e]).value * y.v[e]; }));
  });
}

// dh = f' da b + f db
template <class T>
DEVICE void swiglu_tangent(const T* a, const T* b, const T* da, const T* db, T* dh, int64_t n, int64_t k) {
  bool packed = whole_packs<T>(n, k) && aligned_16(a, b, da, db, dh);
  each_piece<T>(n, packed, [=](auto width, int64_t p) {
    constexpr int W = width.value;
    Piece<W> x = load<W>(a + p);
    Piece<W> y = load<W>(b + p);
    for (int64_t i = p; i < k * n; i += n) {
      Piece<W> dx = load_or_zero<W>(da, i);
      Piece<W> dy = load_or_zero<W>(db, i);
      store(dh + i, each<W>([&](int e) {
              Silu f = silu(x.v[e]);
              return f.first * dx.v[e] * y.v[e] + f.value * dy.v[e];
            }));
    }
  });
}

// ga = gh b f', gb = gh f
template <class T>
DEVICE void swiglu_backward(const T* a, const T* b, const T* gh, T* ga, T* gb, int64_t n, int64_t k) {
  bool packed = whole_packs<T>(n, k) && aligned_16(a, b, gh, ga, gb);
  each_piece<T>(n, packed, [=](auto width, int64_t p) {
    constexpr int W = width.value;
    Piece<W> x = load<W>(a + p);
    Piece<W> y = load<W>(b + p);
    for (int64_t i = p; i < k * n; i += n) {
      Piece<W> g = load<W>(gh + i);
      store(ga + i, each<W>([&](int e) { return g.v[e] * y.v[e] * silu(x.v[e]).first; }));
      store(gb + i, each<W>([&](int e) { return g.v[e] * silu(x.v[e]).value; }));
    }
  });
}

// dga = dgh b f' + gh db f' + gh b f'' da, dgb = dgh f + gh f' da; gh has n elements
template <class T>
DEVICE void swiglu_backward_tangent(const T* a, const T* b, const T* gh, const T* da, const T* db,
                                    const T* dgh, T* dga, T* dgb, int64_t n, int64_t k) {
  bool packed = whole_packs<T>(n, k) && aligned_16(a, b, gh, da, db, dgh, dga, dgb);
  each_piece<T>(n, packed, [=](auto width, int64_t p) {
    constexpr int W = width.value;
    Piece<W> x = load<W>(a + p);
    Piece<W> y = load<W>(b + p);
    Piece<W> g = load<W>(gh + p);
    for (int64_t i = p; i < k * n; i += n) {
      Piece<W> dx = load_or_zero<W>(da, i);
      Piece<W> dy = load_or_zero<W>(db, i);
      Piece<W> dg = load_or_zero<W>(dgh, i);
      store(dga + i, each<W>([&](int e) {
              Silu f = silu(x.v[e]);
              return (dg.v[e] * y.v[e] + g.v[e] * dy.v[e]) * f.first + g.v[e] * y.v[e] * f.second * dx.v[e];
            }));
      store(dgb + i, each<W>([&](int e) {
              Silu f = silu(x.v[e]);
              return dg.v[e] * f.value + g.v[e] * f.first * dx.v[e];
            }));
    }
  });
}

KERNEL(swiglu_forward, (256), (const T* a, const T* b, T* h, int64_t n), (a, b, h, n))
KERNEL(swiglu_tangent, (256),
       (const T* a, const T* b, const T* da, const T* db, T* dh, int64_t n, int64_t k),
       (a, b, da, db, dh, n, k))
KERNEL(swiglu_backward, (256), (const T* a, const T* b, const T* gh, T* ga, T* gb, int64_t n, int64_t k),
       (a, b, gh, ga, gb, n, k))
KERNEL(swiglu_backward_tangent, (256),
       (const T* a, const T* b, const T* gh, const T* da, const T* db, const T* dgh, T* dga, T* dgb,
        int64_t n, int64_t k),
       (a, b, gh, da, db, dgh, dga, dgb, n, k))
