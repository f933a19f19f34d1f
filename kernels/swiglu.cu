// h = silu(a) b with silu(a) = a sigma(a), sigma = 1 / (1 + exp(-a)); f = a sigma,
// f' = sigma (1 + a (1 - sigma)), f'' = sigma (1 - sigma) (2 + a (1 - 2 sigma)).
//
// Primal tensors have n elements, tangents and adjoints k n: the primal repeats per direction. A null
// tangent is zero. One thread an element, in a grid-stride loop over k n.
#include "device.cuh"
#include "elements.cuh"

struct Silu {
  float value;   // f
  float first;   // f'
  float second;  // f''
};

DEVICE Silu silu(float a) {
  float sigma = 1.f / (1.f + expf(-a));
  float rest = 1.f / (1.f + expf(a));
  // a sigma (1 - sigma) is a finite number times 0 where sigma is 0 or 1.
  return {a * sigma, sigma * (1.f + a * rest), sigma * rest * (2.f + a * (rest - sigma))};
}

// h = f b
template <class T>
DEVICE void swiglu_forward(const T* a, const T* b, T* h, int64_t n) {
  for (int64_t i = first_element(); i < n; i += grid_elements()) {
    h[i] = from_float<T>(silu(to_float(a[i])).value * to_float(b[i]));
  }
}

// dh = f' da b + f db
template <class T>
DEVICE void swiglu_tangent(const T* a, const T* b, const T* da, const T* db, T* dh, int64_t n, int64_t k) {
  for (int64_t i = first_element(); i < k * n; i += grid_elements()) {
    int64_t p = i % n;
    Silu f = silu(to_float(a[p]));
    dh[i] = from_float<T>(f.first * or_zero(da, i) * to_float(b[p]) + f.value * or_zero(db, i));
  }
}

// ga = gh b f', gb = gh f
template <class T>
DEVICE void swiglu_backward(const T* a, const T* b, const T* gh, T* ga, T* gb, int64_t n, int64_t k) {
  for (int64_t i = first_element(); i < k * n; i += grid_elements()) {
    int64_t p = i % n;
    Silu f = silu(to_float(a[p]));
    float g = to_float(gh[i]);
    ga[i] = from_float<T>(g * to_float(b[p]) * f.first);
    gb[i] = from_float<T>(g * f.value);
  }
}

// dga = dgh b f' + gh db f' + gh b f'' da, dgb = dgh f + gh f' da; gh has n elements
template <class T>
DEVICE void swiglu_backward_tangent(const T* a, const T* b, const T* gh, const T* da, const T* db,
                                    const T* dgh, T* dga, T* dgb, int64_t n, int64_t k) {
  for (int64_t i = first_element(); i < k * n; i += grid_elements()) {
    int64_t p = i % n;
    Silu f = silu(to_float(a[p]));
    float bp = to_float(b[p]);
    float g = to_float(gh[p]);
    float da_i = or_zero(da, i);
    float dgh_i = or_zero(dgh, i);
    dga[i] = from_float<T>((dgh_i * bp + g * or_zero(db, i)) * f.first + g * bp * f.second * da_i);
    dgb[i] = from_float<T>(dgh_i * f.value + g * f.first * da_i);
  }
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
