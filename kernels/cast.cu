// y (n) = x (n) in another format, rounded to the nearest, by way of float32; one thread an element, in a grid-stride
// loop. Transfers between host and device are no faster than that.
#include "elements.cuh"

// IEEE 754 binary16, as its bits.
struct HalfBits {
  uint16_t bits;
};

DEVICE float to_float(double x) { return static_cast<float>(x); }

DEVICE float to_float(HalfBits x) {
  uint32_t magnitude = static_cast<uint32_t>(x.bits & 0x7fff) << 13;
  uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16;
  if (magnitude >= 0x7c00u << 13) {  // infinite or no number
    return __uint_as_float(sign | magnitude | 0x7f800000u);
  }
  float scaled = __uint_as_float(magnitude) * __uint_as_float((127u + 112u) << 23);  // 2^112, exact
  return __uint_as_float(__float_as_uint(scaled) | sign);
}

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
