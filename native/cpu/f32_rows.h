// Sums and exponentials along a run of floats, for any instruction set (see f32_functions.h): the operations of Java's
// ScalarRows in the same order, with sums over 16 virtual lanes, so the numbers are the same to the bit. Compiled without
// contraction of a product and a sum to one operation.
#pragma once

#include <cstdint>
#include <limits>

namespace {

constexpr int64_t LANES = 16;

// Sums over 16 virtual lanes, in one register or more.
template <class Vector>
struct Lanes {
  static constexpr int64_t COUNT = 4 * LANES / Vector::BYTES;
  typename Vector::Type part[COUNT];

  Lanes() {
    for (int64_t v = 0; v < COUNT; v++) {
      part[v] = Vector::all(0);
    }
  }

  // The lanes folded in halves.
  float fold() const {
    float lane[LANES];
    for (int64_t v = 0; v < COUNT; v++) {
      Vector::store(reinterpret_cast<char*>(lane) + Vector::BYTES * v, part[v]);
    }
    for (int64_t half = LANES / 2; half > 0; half /= 2) {
      for (int64_t i = 0; i < half; i++) {
        lane[i] += lane[i + half];
      }
    }
    return lane[0];
  }
};

// Numbers at any byte.
typedef uint16_t __attribute__((aligned(1), may_alias)) Half;
typedef uint32_t __attribute__((aligned(1), may_alias)) Bits;
typedef float __attribute__((aligned(1), may_alias)) Float;

// The floats that bfloat16 numbers stand for.
inline void widen(int64_t n, const char* x, char* y) {
  const Half* from = reinterpret_cast<const Half*>(x);
  Bits* to = reinterpret_cast<Bits*>(y);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) {
    to[i] = uint32_t(from[i]) << 16;
  }
}

// Calls whole(offset in bytes, register of the virtual lanes) for each whole vector of a run, then
// part(offset, register, elements) for what is left.
template <class Vector, class Whole, class Part>
inline __attribute__((always_inline)) void along(int64_t n, Whole whole, Part part) {
  constexpr int64_t LENGTH = Vector::BYTES / 4;
  constexpr int64_t COUNT = Lanes<Vector>::COUNT;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
#pragma GCC unroll 2
    for (int64_t v = 0; v < COUNT; v++) {
      whole(4 * i + Vector::BYTES * v, v);
    }
  }
  for (int64_t v = 0; i < n; i += LENGTH, v++) {
    if (i + LENGTH <= n) {
      whole(4 * i, v);
    } else {
      part(4 * i, v, n - i);
    }
  }
}

// e^x: Cephes' polynomial, as ScalarMath.exp.
template <class Vector>
inline __attribute__((always_inline)) typename Vector::Type exponential(typename Vector::Type x) {
  using Type = typename Vector::Type;
  constexpr float ROUNDER = 12582912.0f;
  Type rounded = Vector::multiply_add(x, Vector::all(1.44269504f), Vector::all(ROUNDER));
  Type n = Vector::subtract(rounded, Vector::all(ROUNDER));
  Type r = Vector::multiply_add(n, Vector::all(-0.693359375f), x);
  r = Vector::multiply_add(n, Vector::all(2.12194440e-4f), r);
  Type p = Vector::multiply_add(Vector::all(1.9875691500e-4f), r, Vector::all(1.3981999507e-3f));
  p = Vector::multiply_add(p, r, Vector::all(8.3334519073e-3f));
  p = Vector::multiply_add(p, r, Vector::all(4.1665795894e-2f));
  p = Vector::multiply_add(p, r, Vector::all(1.6666665459e-1f));
  p = Vector::multiply_add(p, r, Vector::all(5.0000001201e-1f));
  Type mantissa =
      Vector::add(Vector::multiply_add(p, Vector::multiply(r, r), r), Vector::all(1));
  Type y = Vector::multiply(mantissa, Vector::power_of_two(rounded));
  y = Vector::where_less(x, Vector::all(-87.336544f), Vector::all(0), y);
  return Vector::where_less(
      Vector::all(88.37626f), x, Vector::all(std::numeric_limits<float>::infinity()), y);
}

template <class Vector>
float max(int64_t n, const char* x) {
  using Type = typename Vector::Type;
  constexpr int64_t LENGTH = Vector::BYTES / 4;
  Type lowest = Vector::all(-std::numeric_limits<float>::infinity());
  Type even = lowest;
  Type odd = lowest;
  int64_t i = 0;
  for (; i + 2 * LENGTH <= n; i += 2 * LENGTH) {
    even = Vector::max(Vector::load(x + 4 * i), even);
    odd = Vector::max(Vector::load(x + 4 * (i + LENGTH)), odd);
  }
  for (; i < n; i += LENGTH) {
    int64_t left = n - i < LENGTH ? n - i : LENGTH;
    even = Vector::max(Vector::load_first(left, x + 4 * i, lowest), even);
  }
  float lane[LENGTH];
  Vector::store(reinterpret_cast<char*>(lane), Vector::max(even, odd));
  float most = lane[0];
  for (float value : lane) {
    most = value > most ? value : most;
  }
  return most;
}

template <class Vector>
float dot(int64_t n, const char* x, const char* y) {
  using Type = typename Vector::Type;
  Lanes<Vector> sum;
  Type zero = Vector::all(0);
  along<Vector>(
      n,
      [&](int64_t at, int64_t v) {
        sum.part[v] = Vector::multiply_add(Vector::load(x + at), Vector::load(y + at), sum.part[v]);
      },
      [&](int64_t at, int64_t v, int64_t left) {
        Type a = Vector::load_first(left, x + at, zero);
        sum.part[v] = Vector::multiply_add(a, Vector::load_first(left, y + at, zero), sum.part[v]);
      });
  return sum.fold();
}

// The sum of x y z.
template <class Vector>
float dot3(int64_t n, const char* x, const char* y, const char* z) {
  using Type = typename Vector::Type;
  Lanes<Vector> sum;
  Type zero = Vector::all(0);
  along<Vector>(
      n,
      [&](int64_t at, int64_t v) {
        Type xy = Vector::multiply(Vector::load(x + at), Vector::load(y + at));
        sum.part[v] = Vector::multiply_add(xy, Vector::load(z + at), sum.part[v]);
      },
      [&](int64_t at, int64_t v, int64_t left) {
        Type a = Vector::load_first(left, x + at, zero);
        Type xy = Vector::multiply(a, Vector::load_first(left, y + at, zero));
        sum.part[v] = Vector::multiply_add(xy, Vector::load_first(left, z + at, zero), sum.part[v]);
      });
  return sum.fold();
}

// The sum of x y in double.
inline __attribute__((always_inline)) double dot_double(int64_t n, const char* x, const char* y) {
  const Float* a = reinterpret_cast<const Float*>(x);
  const Float* b = reinterpret_cast<const Float*>(y);
  double lane[LANES] = {};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int64_t j = 0; j < LANES; j++) {
      lane[j] = __builtin_fma(double(a[i + j]), double(b[i + j]), lane[j]);
    }
  }
  for (int64_t j = 0; i < n; i++, j++) {
    lane[j] = __builtin_fma(double(a[i]), double(b[i]), lane[j]);
  }
  for (int64_t half = LANES / 2; half > 0; half /= 2) {
    for (int64_t j = 0; j < half; j++) {
      lane[j] += lane[j + half];
    }
  }
  return lane[0];
}

// Whether no element is infinite or not a number: such a one less itself is not zero.
template <class Vector>
bool all_finite(int64_t n, const char* x) {
  using Type = typename Vector::Type;
  Lanes<Vector> sum;
  along<Vector>(
      n,
      [&](int64_t at, int64_t v) {
        Type value = Vector::load(x + at);
        sum.part[v] = Vector::add(sum.part[v], Vector::subtract(value, value));
      },
      [&](int64_t at, int64_t v, int64_t left) {
        Type value = Vector::load_first(left, x + at, Vector::all(0));
        sum.part[v] = Vector::add(sum.part[v], Vector::subtract(value, value));
      });
  return sum.fold() == 0;
}

// x = e^(scale x - shift); the sum.
template <class Vector>
float exp_sum(int64_t n, char* x, float scale, float shift) {
  using Type = typename Vector::Type;
  Lanes<Vector> sum;
  Type a = Vector::all(scale);
  Type b = Vector::all(-shift);
  along<Vector>(
      n,
      [&](int64_t at, int64_t v) {
        Type e = exponential<Vector>(Vector::multiply_add(Vector::load(x + at), a, b));
        Vector::store(x + at, e);
        sum.part[v] = Vector::add(sum.part[v], e);
      },
      [&](int64_t at, int64_t v, int64_t left) {
        Type rest = Vector::load_first(left, x + at, Vector::all(0));
        Type e = exponential<Vector>(Vector::multiply_add(rest, a, b));
        Vector::store_first(left, x + at, e);
        sum.part[v] = Vector::add(sum.part[v], Vector::first(left, e));
      });
  return sum.fold();
}

}  // namespace
