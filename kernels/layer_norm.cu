// s = x + f, c = s - mean s, r = (mean c^2 + eps)^-1/2, y = w r c + b, and its derivatives. A block takes a row of the
// primal, d elements, and the same row of each of k directions. The sum counts as rounded to T wherever it is used,
// because later modes see it so.
#include "row_pieces.cuh"

template <class T, int W>
DEVICE void forward_row(const T* w, const T* b, const T* x, const T* f, T* s, T* y, float* mean, float* r, int d,
                        float epsilon) {
  int64_t row = static_cast<int64_t>(blockIdx.x) * d;
  auto sum = keep_sum<T, W>(d, x, f, row);
  float m = row_sum<W>(d, [&](int i) {
              Piece<W> v = sum(i);
              if (s != nullptr) {
                store(s + row + i, v);
              }
              return v;
            }) / d;
  float squares = row_sum<W>(d, [&](int i) {
    Piece<W> v = sum(i);
    return each<W>([&](int e) { return (v.v[e] - m) * (v.v[e] - m); });
  });
  float root = 1.f / sqrtf(squares / d + epsilon);
  if (threadIdx.x == 0) {
    mean[blockIdx.x] = m;
    r[blockIdx.x] = root;
  }
  each_in_row<W>(d, [&](int i) {
    Piece<W> v = sum(i);
    Piece<W> weight = load<W>(w + i);
    Piece<W> bias = load_or_zero<W>(b, i);
    store(y + row + i, each<W>([&](int e) { return weight.v[e] * (root * (v.v[e] - m)) + bias.v[e]; }));
  });
}

// w, b (d), b or null; x, f (rows,d), f null or not as s is; s, y (rows,d); mean, r (rows). One block a row.
template <class T>
DEVICE void layer_norm_forward(const T* w, const T* b, const T* x, const T* f, T* s, T* y, float* mean, float* r,
                               int64_t d, float epsilon) {
  if (d % PACK<T> == 0 && aligned_16(w, b, x, f, s, y)) {
    forward_row<T, PACK<T>>(w, b, x, f, s, y, mean, r, d, epsilon);
  } else {
    forward_row<T, 1>(w, b, x, f, s, y, mean, r, d, epsilon);
  }
}

// dr = -r^3 mean(c dc), dy = w (r dc + dr c).
template <class T, int W>
DEVICE void tangent_row(const T* w, const T* s, const float* mean, const float* r, const T* dx, const T* df, T* ds,
                        T* dy, int64_t rows, int d, int64_t k) {
  int64_t primal = static_cast<int64_t>(blockIdx.x) * d;
  float m = mean[blockIdx.x];
  float root = r[blockIdx.x];
  auto sum = keep_row<W>(d, s + primal);
  auto weight = keep_row<W>(d, w);
  for (int64_t row = primal; row < k * rows * d; row += rows * d) {
    auto dsum = keep_sum<T, W>(d, dx, df, row);
    float2 sums = row_sums<W>(d, [&](int i, Piece<W>& values, Piece<W>& products) {
      Piece<W> v = sum(i);
      values = dsum(i);
      if (ds != nullptr) {
        store(ds + row + i, values);
      }
      products = each<W>([&](int e) { return (v.v[e] - m) * values.v[e]; });
    });
    float dm = sums.x / d;
    float droot = -root * root * root * (sums.y / d);
    each_in_row<W>(d, [&](int i) {
      Piece<W> v = sum(i);
      Piece<W> dv = dsum(i);
      Piece<W> u = weight(i);
      store(dy + row + i,
            each<W>([&](int e) { return u.v[e] * (root * (dv.v[e] - dm) + droot * (v.v[e] - m)); }));
    });
  }
}

// w (d); s (rows,d); mean, r (rows); dx, df (k,rows,d) or null; ds (k,rows,d) or null; dy (k,rows,d).
template <class T>
DEVICE void layer_norm_tangent(const T* w, const T* s, const float* mean, const float* r, const T* dx, const T* df,
                               T* ds, T* dy, int64_t rows, int64_t d, int64_t k) {
  if (d % PACK<T> == 0 && aligned_16(w, s, dx, df, ds, dy)) {
    tangent_row<T, PACK<T>>(w, s, mean, r, dx, df, ds, dy, rows, d, k);
  } else {
    tangent_row<T, 1>(w, s, mean, r, dx, df, ds, dy, rows, d, k);
  }
}

// With g = w gy and q = mean(c g): gx = gs + r (g - mean g) - r^3 q c.
template <class T, int W>
DEVICE void backward_row(const T* w, const T* s, const float* mean, const float* r, const T* gs, const T* gy, T* gx,
                         int64_t rows, int d, int64_t k) {
  int64_t primal = static_cast<int64_t>(blockIdx.x) * d;
  float m = mean[blockIdx.x];
  float root = r[blockIdx.x];
  auto sum = keep_row<W>(d, s + primal);
  auto weight = keep_row<W>(d, w);
  for (int64_t row = primal; row < k * rows * d; row += rows * d) {
    auto adjoint = keep_row<W>(d, gy + row);
    float2 sums = row_sums<W>(d, [&](int i, Piece<W>& values, Piece<W>& products) {
      Piece<W> v = sum(i);
      Piece<W> g = adjoint(i);
      Piece<W> u = weight(i);
      values = each<W>([&](int e) { return u.v[e] * g.v[e]; });
      products = each<W>([&](int e) { return (v.v[e] - m) * values.v[e]; });
    });
    float of_g = sums.x / d;
    float of_c = -root * root * root * (sums.y / d);
    each_in_row<W>(d, [&](int i) {
      Piece<W> v = sum(i);
      Piece<W> g = adjoint(i);
      Piece<W> u = weight(i);
      Piece<W> residual = load_or_zero<W>(gs, row + i);
      store(gx + row + i, each<W>([&](int e) {
              return residual.v[e] + root * (u.v[e] * g.v[e] - of_g) + of_c * (v.v[e] - m);
            }));
    });
  }
}

// w (d); s (rows,d); mean, r (rows); gs (k,rows,d) or null; gy (k,rows,d); gx (k,rows,d), may be gs.
template <class T>
DEVICE void layer_norm_backward(const T* w, const T* s, const float* mean, const float* r, const T* gs, const T* gy,
                                T* gx, int64_t rows, int64_t d, int64_t k) {
  if (d % PACK<T> == 0 && aligned_16(w, s, gs, gy, gx)) {
    backward_row<T, PACK<T>>(w, s, mean, r, gs, gy, gx, rows, d, k);
  } else {
    backward_row<T, 1>(w, s, mean, r, gs, gy, gx, rows, d, k);
  }
}

// With g = w gy, dg = w dgy, q = mean(c g), dr = -r^3 mean(c dc), dq = mean(dc g + c dg):
// dgx = dgs + dr (g - mean g) + r (dg - mean dg) - (3 r^2 dr q + r^3 dq) c - r^3 q dc.
template <class T, int W>
DEVICE void backward_tangent_row(const T* w, const T* s, const float* mean, const float* r, const T* gy, const T* ds,
                                 const T* dgs, const T* dgy, T* dgx, int64_t rows, int d, int64_t k) {
  int64_t primal = static_cast<int64_t>(blockIdx.x) * d;
  float m = mean[blockIdx.x];
  float root = r[blockIdx.x];
  float cube = root * root * root;
  auto sum = keep_row<W>(d, s + primal);
  auto weight = keep_row<W>(d, w);
  auto adjoint = keep_row<W>(d, gy + primal);
  float2 fixed = row_sums<W>(d, [&](int i, Piece<W>& values, Piece<W>& products) {
    Piece<W> v = sum(i);
    Piece<W> g = adjoint(i);
    Piece<W> u = weight(i);
    values = each<W>([&](int e) { return u.v[e] * g.v[e]; });
    products = each<W>([&](int e) { return (v.v[e] - m) * values.v[e]; });
  });
  float of_g = fixed.x / d;
  float q = fixed.y / d;
  for (int64_t row = primal; row < k * rows * d; row += rows * d) {
    auto dsum = keep_row<W>(d, ds + row);
    auto dadjoint = keep_row<W>(d, dgy + row);
    float2 first = row_sums<W>(d, [&](int i, Piece<W>& values, Piece<W>& products) {
      Piece<W> v = sum(i);
      values = dsum(i);
      products = each<W>([&](int e) { return (v.v[e] - m) * values.v[e]; });
    });
    float2 second = row_sums<W>(d, [&](int i, Piece<W>& values, Piece<W>& products) {
      Piece<W> v = sum(i);
      Piece<W> dv = dsum(i);
      Piece<W> g = adjoint(i);
      Piece<W> dg = dadjoint(i);
      Piece<W> u = weight(i);
      values = each<W>([&](int e) { return u.v[e] * dg.v[e]; });
      products = each<W>(
          [&](int e) { return (u.v[e] * g.v[e] - of_g) * dv.v[e] + (v.v[e] - m) * values.v[e]; });
    });
    float dm = first.x / d;
    float droot = -cube * (first.y / d);
    float of_dg = second.x / d;
    float of_c = -(3.f * root * root * droot * q + cube * (second.y / d));
    float of_dc = -cube * q;
    each_in_row<W>(d, [&](int i) {
      Piece<W> v = sum(i);
      Piece<W> dv = dsum(i);
      Piece<W> g = adjoint(i);
      Piece<W> dg = dadjoint(i);
      Piece<W> u = weight(i);
      Piece<W> residual = load_or_zero<W>(dgs, row + i);
      store(dgx + row + i, each<W>([&](int e) {
              return residual.v[e] + droot * (u.v[e] * g.v[e] - of_g) + root * (u.v[e] * dg.v[e] - of_dg) +
                     of_c * (v.v[e] - m) + of_dc * (dv.v[e] - dm);
            }));
    });
  }
}

// w (d); s, gy (rows,d); mean, r (rows); ds, dgy (k,rows,d); dgs (k,rows,d) or null; dgx (k,rows,d), may be dgs.
template <class T>
DEVICE void layer_norm_backward_tangent(const T* w, const T* s, const float* mean, const float* r, const T* gy,
                                        const T* ds, const T* dgs, const T* dgy, T* dgx, int64_t rows, int64_t d,
                                        int64_t k) {
  if (d % PACK<T> == 0 && aligned_16(w, s, gy, ds, dgs, dgy, dgx)) {
    backward_tangent_row<T, PACK<T>>(w, s, mean, r, gy, ds, dgs, dgy, dgx, rows, d, k);
  } else {
    backward_tangent_row<T, 1>(w, s, mean, r, gy, ds, dgs, dgy, dgx, rows, d, k);
  }
}

KERNEL(layer_norm_forward, (512),
       (const T* w, const T* b, const T* x, const T* f, T* s, T* y, float* mean, float* r, int64_t d,
        float epsilon),
       (w, b, x, f, s, y, mean, r, d, epsilon))
KERNEL(layer_norm_tangent, (512),
       (const T* w, const T* s, const float* mean, const float* r, const T* dx, const T* df, T* ds, T* dy,
        int64_t rows, int64_t d, int64_t k),
       (w, s, mean, r, dx, df, ds, dy, rows, d, k))
KERNEL(layer_norm_backward, (512),
       (const T* w, const T* s, const float* mean, const float* r, const T* gs, const T* gy, T* gx, int64_t rows,
        int64_t d, int64_t k),
       (w, s, mean, r, gs, gy, gx, rows, d, k))
KERNEL(layer_norm_backward_tangent, (512),
       (const T* w, const T* s, const float* mean, const float* r, const T* gy, const T* ds, const T* dgs,
        const T* dgy, T* dgx, int64_t rows, int64_t d, int64_t k),
       (w, s, mean, r, gy, ds, dgs, dgy, dgx, rows, d, k))
