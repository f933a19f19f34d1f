// h = f(a) b, or f(a) where b is null: no gate, as if it were one. Three functions f, each with its derivatives.
//
// The primal repeats per direction and is read once for all. A null tangent is zero; the adjoint of no gate is null and not
// written. A thread takes a piece of the primal and its k directions.
#include "device.cuh"
#include "elements.cuh"

struct Derivatives {
  float value;   // f
  float first;   // f'
  float second;  // f''
};

// sigma = 1 / (1 + exp(-x)) and 1 - sigma, both to full relative accuracy, from one exponential that cannot overflow.
struct Sigmoid {
  float sigma;
  float rest;
};

DEVICE Sigmoid sigmoid(float x) {
  float small = fast_exp(-fabsf(x));
  float larger = fast_reciprocal(1.f + small);
  float smaller = small * larger;
  return {x < 0.f ? smaller : larger, x < 0.f ? larger : smaller};
}

// a, or the bound beyond which sigma(w), Phi and phi are 0 or 1 in floats: its powers stay finite.
DEVICE float near(float a) {
  float above = a < -30.f ? -30.f : a;
  return above > 30.f ? 30.f : above;
}

// f = a sigma, f' = sigma (1 + a (1 - sigma)), f'' = sigma (1 - sigma) (2 + a (1 - 2 sigma))
struct silu {
  static DEVICE_MEMBER Derivatives at(float a) {
    Sigmoid s = sigmoid(a);
    float sigma = s.sigma;
    float rest = s.rest;
    // a sigma (1 - sigma) is a finite number times 0 where sigma is 0 or 1.
    return {a * sigma, sigma * (1.f + a * rest), sigma * rest * (2.f + a * (rest - sigma))};
  }
};

// f = a Phi, f' = Phi + a phi, f'' = (2 - a^2) phi
struct gelu {
  static DEVICE_MEMBER Derivatives at(float a) {
    float x = near(a);
    float below = 0.5f * erfcf(-0.70710678f * x);
    float density = 0.39894228f * fast_exp(-0.5f * x * x);
    return {a * below, below + x * density, (2.f - x * x) * density};
  }
};

// With w = c (a + q a^3): f = a sigma(w), f' = sigma + a sigma' w', f'' = 2 sigma' w' + a (sigma'' w'^2 + sigma' w'')
struct gelu_tanh {
  static DEVICE_MEMBER Derivatives at(float a) {
    constexpr float c = 1.59576912f;
    constexpr float cq = 0.07135481628f;
    float x = near(a);
    float square = x * x;
    Sigmoid s = sigmoid(x * (c + cq * square));
    float dw = c + 3.f * cq * square;
    float ds = s.sigma * s.rest;
    float bend = dw * dw * (s.rest - s.sigma) + 6.f * cq * x;
    return {a * s.sigma, s.sigma + x * ds * dw, ds * (2.f * dw + x * bend)};
  }
};

// The gate's elements at[0] on, or ones where there is no gate.
template <int W, class T>
DEVICE Piece<W> load_gate(const T* b, int64_t at) {
  return b == nullptr ? filled<W>(1.f) : load<W>(b + at);
}

template <int W, class T>
DEVICE void store_unless_null(T* to, int64_t at, const Piece<W>& x) {
  if (to != nullptr) {
    store(to + at, x);
  }
}

// The rows of a call's tensors: primal (rows,width), others (k,rows,width). Rows of the primal and of the tangents of a and
// b are `inputs` apart, those of h and its tangent `unit`, those of the adjoints of a and b `adjoints`; h's adjoint is dense.
struct UnitRows {
  int64_t rows;
  int64_t width;
  int64_t k;
  int64_t inputs;
  int64_t unit;
  int64_t adjoints;

  // Calls body(piece's width, row, column) for the primal's pieces, of PACK<T> elements where the tensors are aligned.
  template <class T, class Body>
  DEVICE_MEMBER void each(bool aligned, Body body) const {
    each_piece_of_rows<T>(rows, width, aligned && whole_strides<T>(width, inputs, unit, adjoints), body);
  }
};

// h = f b
template <class F, class T>
DEVICE void forward(const T* a, const T* b, T* h, UnitRows n) {
  n.each<T>(aligned_16(a, b, h), [=](auto width, int64_t row, int64_t column) {
    constexpr int W = width.value;
    int64_t from = row * n.inputs + column;
    Piece<W> x = load<W>(a + from);
    Piece<W> y = load_gate<W>(b, from);
    store(h + row * n.unit + column, each<W>([&](int e) { return F::at(x.v[e]).value * y.v[e]; }));
  });
}

// dh = f' da b + f db
template <class F, class T>
DEVICE void tangent(const T* a, const T* b, const T* da, const T* db, T* dh, UnitRows n) {
  n.each<T>(aligned_16(a, b, da, db, dh), [=](auto width, int64_t primal, int64_t column) {
    constexpr int W = width.value;
    Piece<W> x = load<W>(a + primal * n.inputs + column);
    Piece<W> y = load_gate<W>(b, primal * n.inputs + column);
    for (int64_t row = primal; row < n.k * n.rows; row += n.rows) {
      Piece<W> dx = load_or_zero<W>(da, row * n.inputs + column);
      Piece<W> dy = load_or_zero<W>(db, row * n.inputs + column);
      store(dh + row * n.unit + column, each<W>([&](int e) {
              Derivatives f = F::at(x.v[e]);
              return f.first * dx.v[e] * y.v[e] + f.value * dy.v[e];
            }));
    }
  });
}

// ga = gh b f', gb = gh f
template <class F, class T>
DEVICE void backward(const T* a, const T* b, const T* gh, T* ga, T* gb, UnitRows n) {
  n.each<T>(aligned_16(a, b, gh, ga, gb), [=](auto width, int64_t primal, int64_t column) {
    constexpr int W = width.value;
    Piece<W> x = load<W>(a + primal * n.inputs + column);
    Piece<W> y = load_gate<W>(b, primal * n.inputs + column);
    for (int64_t row = primal; row < n.k * n.rows; row += n.rows) {
      Piece<W> g = load<W>(gh + row * n.width + column);
      Piece<W> of_a;
      Piece<W> of_b;
#pragma unroll
      for (int e = 0; e < W; e++) {
        Derivatives f = F::at(x.v[e]);
        of_a.v[e] = g.v[e] * y.v[e] * f.first;
        of_b.v[e] = g.v[e] * f.value;
      }
      store(ga + row * n.adjoints + column, of_a);
      store_unless_null(gb, row * n.adjoints + column, of_b);
    }
  });
}

// dga = dgh b f' + gh db f' + gh b f'' da, dgb = dgh f + gh f' da; gh is primal
template <class F, class T>
DEVICE void backward_tangent(const T* a, const T* b, const T* gh, const T* da, const T* db, const T* dgh, T* dga,
                             T* dgb, UnitRows n) {
  n.each<T>(aligned_16(a, b, gh, da, db, dgh, dga, dgb), [=](auto width, int64_t primal, int64_t column) {
    constexpr int W = width.value;
    Piece<W> x = load<W>(a + primal * n.inputs + column);
    Piece<W> y = load_gate<W>(b, primal * n.inputs + column);
    Piece<W> g = load<W>(gh + primal * n.width + column);
    for (int64_t row = primal; row < n.k * n.rows; row += n.rows) {
      Piece<W> dx = load_or_zero<W>(da, row * n.inputs + column);
      Piece<W> dy = load_or_zero<W>(db, row * n.inputs + column);
      Piece<W> dg = load_or_zero<W>(dgh, row * n.width + column);
      Piece<W> of_a;
      Piece<W> of_b;
#pragma unroll
      for (int e = 0; e < W; e++) {
        Derivatives f = F::at(x.v[e]);
        of_a.v[e] = (dg.v[e] * y.v[e] + g.v[e] * dy.v[e]) * f.first + g.v[e] * y.v[e] * f.second * dx.v[e];
        of_b.v[e] = dg.v[e] * f.value + g.v[e] * f.first * dx.v[e];
      }
      store(dga + row * n.adjoints + column, of_a);
      store_unless_null(dgb, row * n.adjoints + column, of_b);
    }
  });
}

// The four kernels of a function in one type, as gated_forward_silu_f32.
#define UNIT_SIZES int64_t rows, int64_t width, int64_t k, int64_t inputs, int64_t unit, int64_t adjoints
#define UNIT_ROWS UnitRows{rows, width, k, inputs, unit, adjoints}
#define UNIT_KERNELS(F, TYPE, SUFFIX)                                                                                 \
  EXPORT_KERNEL(gated_forward_##F##_##SUFFIX, (256), TYPE, (const T* a, const T* b, T* h, UNIT_SIZES),                \
                (::forward<F>(a, b, h, UNIT_ROWS)))                                                                   \
  EXPORT_KERNEL(gated_tangent_##F##_##SUFFIX, (256), TYPE,                                                            \
                (const T* a, const T* b, const T* da, const T* db, T* dh, UNIT_SIZES),                                \
                (::tangent<F>(a, b, da, db, dh, UNIT_ROWS)))                                                          \
  EXPORT_KERNEL(gated_backward_##F##_##SUFFIX, (256), TYPE,                                                           \
                (const T* a, const T* b, const T* gh, T* ga, T* gb, UNIT_SIZES),                                      \
                (::backward<F>(a, b, gh, ga, gb, UNIT_ROWS)))                                                         \
  EXPORT_KERNEL(gated_backward_tangent_##F##_##SUFFIX, (256), TYPE,                                                   \
                (const T* a, const T* b, const T* gh, const T* da, const T* db, const T* dgh, T* dga, T* dgb,         \
                 UNIT_SIZES),                                                                                         \
                (::backward_tangent<F>(a, b, gh, da, db, dgh, dga, dgb, UNIT_ROWS)))

UNIT_KERNELS(silu, float, f32)
UNIT_KERNELS(silu, bf16, bf16)
UNIT_KERNELS(gelu, float, f32)
UNIT_KERNELS(gelu, bf16, bf16)
UNIT_KERNELS(gelu_tanh, float, f32)
UNIT_KERNELS(gelu_tanh, bf16, bf16)
