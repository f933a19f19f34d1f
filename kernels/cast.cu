// y (n) = x (n) in another format, rounded to the nearest, by way of float32; one thread an element, in a grid-stride
// loop. Transfers between host and device are no faster than that.
#include "elements.cuh"
#include "half.cuh"

DEVICE float to_float(double x) { return static_cast<float>(x); }

template <class From, class To>
DEVICE void cast(const From* x, To* y, int64_t n) {
  for (int64_t i = first_element(); i < n; i += grid_elements()) {
    if constexpr (sizeof(To) == sizeof(double)) {
      y[i] = to_float(x[i]);
    } else {
      y[i] = from_float<To>(to_float(x[i]));
    }
  }
}

#define CAST(NAME, FROM, TO) \
  EXPORT_KERNEL(NAME, (256), TO, (const FROM* x, T* y, int64_t n), ::cast(x, y, n))

CAST(cast_f64_f32, double, float)
CAST(cast_f64_bf16, double, bf16)
CAST(cast_f32_f64, float, double)
CAST(cast_f32_bf16, float, bf16)
CAST(cast_f16_f32, HalfBits, float)
CAST(cast_f16_bf16, HalfBits, bf16)
CAST(cast_bf16_f64, bf16, double)
CAST(cast_bf16_f32, bf16, float)
