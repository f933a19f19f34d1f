// s = x + f, r = (mean s^2 + eps)^-1/2, y = w s r, and its derivatives. A block takes a row of the primal, d
// elements, and the same row of each of k directions. The sum counts as rounded to T wherever it is used,
// because later modes see it so.
#include "row_pieces.cuh"

template <class T, int W>
DEVICE void forward_row(const T* w, const T* x, const T* f, T* s, T* y, float* r, int d, int64_t y_stride,
                        float epsilon) {
  int64_t row = static_cast<int64_t>(blockIdx.x) * d;
  auto sum = keep_sum<T, W>(d, x, f, row);
  float squares = row_sum<W>(d, [&](int i) {
    Piece<W> v = sum(i);
    if (s != nullptr) {
      store(s + row + i, v);
    }
    return each<W>([&](int e) { return v.v[e] * v.v[e]; });
  });
  float root = 1.f / sqrtf(squares / d + epsilon);
  if (threadIdx.x == 0) {
    r[blockIdx.x] = root;
  }
  each_in_row<W>(d, [&](int i) {
    Piece<W> v = sum(i);
    Piece<W> weight = load<W>(w + i);
    store(y + blockIdx.x * y_stride + i, each<W>([&](int e) { return weight.v[e] * v.v[e] * root; }));
  });
}

// w (d); x, f (rows,d), f null or not as s is; s (rows,d), y likewise with rows y_stride apart; r (rows). One block a row.
template <class T>
DEVICE void rms_norm_forward(const T* w, const T* x, const T* f, T* s, T* y, float* r, int64_t d,
                             int64_t y_stride, float epsilon) {
  if (whole_strides<T>(d, y_stride) && aligned_16(w, x, f, s, y)) {
    forward_row<T, PACK<T>>(w, x, f, s, y, r, d, y_stride, epsilon);
  } else {
    forward_row<T, 1>(w, x, f, s, y, r, d, y_stride, epsilon);
  }
}

template <class T, int W>
DEVICE void tangent_row(const T* w, const T* s, const float* r, const T* dx, const T* df, T* ds, T* dy,
                        int64_t rows, int d, int64_t k, int64_t dy_stride) {
  float root = r[blockIdx.x];
  auto sum = keep_row<W>(d, s + static_cast<int64_t>(blockIdx.x) * d);
  auto weight = keep_row<W>(d, w);
  for (int64_t row = blockIdx.x; row < k * rows; row += rows) {
    auto dsum = keep_sum<T, W>(d, dx, df, row * d);
    float product = row_sum<W>(d, [&](int i) {
      Piece<W> v = sum(i);
      Piece<W> dv = dsum(i);
      if (ds != nullptr) {
        store(ds + row * d + i, dv);
      }
      return each<W>([&](int e) { return v.v[e] * dv.v[e]; });
    });
    float droot = -root * root * root * (product / d);
    each_in_row<W>(d, [&](int i) {
      Piece<W> v = sum(i);
      Piece<W> dv = dsum(i);
      Piece<W> u = weight(i);
      store(dy + row * dy_stride + i, each<W>([&](int e) { return u.v[e] * (dv.v[e] * root + v.v[e] * droot); }));
    });
  }
}

// w (d); s (rows,d); r (rows); dx, df (k,rows,d) or null; ds (k,rows,d) or null; dy (k,rows,d) with rows
// dy_stride apart.
template <class T>
DEVICE void rms_norm_tangent(const T* w, const T* s, const float* r, const T* dx, const T* df, T* ds, T* dy,
                             int64_t rows, int64_t d, int64_t k, int64_t dy_stride) {
  if (whole_strides<T>(d, dy_stride) && aligned_16(w, s, dx, df, ds, dy)) {
    tangent_row<T, PACK<T>>(w, s, r, dx, df, ds, dy, rows, d, k, dy_stride);
  } else {
    tangent_row<T, 1>(w, s, r, dx, df, ds, dy, rows, d, k, dy_stride);
  }
}

template <class T, int W>
DEVICE void backward_row(const T* w, const T* s, const float* r, const T* gs, const T* gy, T* gx,
                         int64_t rows, int d, int64_t k, int64_t gs_stride, int64_t gx_stride) {
  float root = r[blockIdx.x];
  auto sum = keep_row<W>(d, s + static_cast<int64_t>(blockIdx.x) * d);
  auto weight = keep_row<W>(d, w);
  for (int64_t row = blockIdx.x; row < k * rows; row += rows) {
    auto adjoint = keep_row<W>(d, gy + row * d);
    float product = row_sum<W>(d, [&](int i) {
      Piece<W> v = sum(i);
      Piece<W> g = adjoint(i);
      Piece<W> u = weight(i);
      return each<W>([&](int e) { return u.v[e] * g.v[e] * v.v[e]; });
    });
    float of_sum = -root * root * root * (product / d);
    each_in_row<W>(d, [&](int i) {
      Piece<W> v = sum(i);
      Piece<W> g = adjoint(i);
      Piece<W> u = weight(i);
      Piece<W> residual = load_or_zero<W>(gs, row * gs_stride + i);
      store(gx + row * gx_stride + i, each<W>([&](int e) {
              return residual.v[e] + root * u.v[e] * g.v[e] + of_sum * v.v[e];
            }));
    });
  }
}

// w (d); s (rows,d); r (rows); gs (k,rows,d) or null; gy (k,rows,d); gx (k,rows,d), may be gs. Rows of gs and gx are their
// strides apart.
template <class T>
DEVICE void rms_norm_backward(const T* w, const T* s, const float* r, const T* gs, const T* gy, T* gx,
                              int64_t rows, int64_t d, int64_t k, int64_t gs_stride, int64_t gx_stride) {
  if (whole_strides<T>(d, gs_stride, gx_stride) && aligned_16(w, s, gs, gy, gx)) {
    backward_row<T, PACK<T>>(w, s, r, gs, gy, gx, rows, d, k, gs_stride, gx_stride);
  } else {
    backward_row<T, 1>(w, s, r, gs, gy, gx, rows, d, k, gs_stride, gx_stride);
  }
}

// With c = mean(w gy s), dr = -r^3 mean(s ds), dc = mean(w gy ds + w dgy s):
// dgx = dgs + w (dr gy + r dgy) - (3 r^2 dr c + r^3 dc) s - r^3 c ds.
template <class T, int W>
DEVICE void backward_tangent_row(const T* w, const T* s, const float* r, const T* gy, const T* ds,
                                 const T* dgs, const T* dgy, T* dgx, int64_t rows, int d, int64_t k,
                                 int64_t dgs_stride, int64_t dgx_stride) {
  int64_t primal = static_cast<int64_t>(blockIdx.x) * d;
  float root = r[blockIdx.x];
  float cube = root * root * root;
  auto sum = keep_row<W>(d, s + primal);
  auto weight = keep_row<W>(d, w);
  auto adjoint = keep_row<W>(d, gy + primal);
  float c = row_sum<W>(d, [&](int i) {
              Piece<W> v = sum(i);
              Piece<W> g = adjoint(i);
              Piece<W> u = weight(i);
              return each<W>([&](int e) { return u.v[e] * g.v[e] * v.v[e]; });
            }) / d;
  for (int64_t row = blockIdx.x; row < k * rows; row += rows) {
    auto dsum = keep_row<W>(d, ds + row * d);
    auto dadjoint = keep_row<W>(d, dgy + row * d);
    float2 sums = row_sums<W>(d, [&](int i, Piece<W>& products, Piece<W>& dproducts) {
      Piece<W> v = sum(i);
      Piece<W> dv = dsum(i);
      Piece<W> g = adjoint(i);
      Piece<W> dg = dadjoint(i);
      Piece<W> u = weight(i);
      products = each<W>([&](int e) { return v.v[e] * dv.v[e]; });
      dproducts = each<W>([&](int e) { return u.v[e] * (g.v[e] * dv.v[e] + dg.v[e] * v.v[e]); });
    });
    float dc = sums.y / d;
    float droot = -cube * (sums.x / d);
    float of_sum = -(3.f * root * root * droot * c + cube * dc);
    float of_dsum = -cube * c;
    each_in_row<W>(d, [&](int i) {
      Piece<W> v = sum(i);
      Piece<W> dv = dsum(i);
      Piece<W> g = adjoint(i);
      Piece<W> dg = dadjoint(i);
      Piece<W> u = weight(i);
      Piece<W> residual = load_or_zero<W>(dgs, row * dgs_stride + i);
      store(dgx + row * dgx_stride + i, each<W>([&](int e) {
              return residual.v[e] + u.v[e] * (droot * g.v[e] + root * dg.v[e]) + of_sum * v.v[e] +
                     of_dsum * dv.v[e];
            }));
    });
  }
}

// w (d); s, gy (rows,d); r (rows); ds, dgy (k,rows,d); dgs (k,rows,d) or null; dgx (k,rows,d), may be dgs.
// Rows of dgs and dgx are their strides apart.
template <class T>
DEVICE void rms_norm_backward_tangent(const T* w, const T* s, const float* r, const T* gy, const T* ds,
                                      const T* dgs, const T* dgy, T* dgx, int64_t rows, int64_t d,
                                      int64_t k, int64_t dgs_stride, int64_t dgx_stride) {
  if (whole_strides<T>(d, dgs_stride, dgx_stride) && aligned_16(w, s, gy, ds, dgs, dgy, dgx)) {
    backward_tangent_row<T, PACK<T>>(w, s, r, gy, ds, dgs, dgy, dgx, rows, d, k, dgs_stride, dgx_stride);
  } else {
    backward_tangent_row<T, 1>(w, s, r, gy, ds, dgs, dgy, dgx, rows, d, k, dgs_stride, dgx_stride);
  }
}

KERNEL(rms_norm_forward, (512),
       (const T* w, const T* x, const T* f, T* s, T* y, float* r, int64_t d, int64_t y_stride,
        float epsilon),
       (w, x, f, s, y, r, d, y_stride, epsilon))
KERNEL(rms_norm_tangent, (512),
       (const T* w, const T* s, const float* r, const T* dx, const T* df, T* ds, T* dy, int64_t rows,
        int64_t d, int64_t k, int64_t dy_stride),
       (w, s, r, dx, df, ds, dy, rows, d, k, dy_stride))
KERNEL(rms_norm_backward, (512),
       (const T* w, const T* s, const float* r, const T* gs, const T* gy, T* gx, int64_t rows, int64_t d,
        int64_t k, int64_t gs_stride, int64_t gx_stride),
       (w, s, r, gs, gy, gx, rows, d, k, gs_stride, gx_stride))
KERNEL(rms_norm_backward_tangent, (512),
       (const T* w, const T* s, const float* r, const T* gy, const T* ds, const T* dgs, const T* dgy, T* dgx,
        int64_t rows, int64_t d, int64_t k, int64_t dgs_stride, int64_t dgx_stride),
       (w, s, r, gy, ds, dgs, dgy, dgx, rows, d, k, dgs_stride, dgx_stride))
