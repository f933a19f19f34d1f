// Arithmetic along a run of floats, for any instruction set (see f32_functions.h): the operations of Java's ScalarRows in
// the same order, with sums over 16 virtual lanes, so the numbers are the same to the bit. Compiled without contraction of
// a product and a sum to one operation.
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

// y = a p (x - shift).
template <class Vector>
void weighted(int64_t n, float a, const char* p, const char* x, float shift, char* y) {
  using Type = typename Vector::Type;
  Type factor = Vector::all(a);
  Type mean = Vector::all(shift);
  Type zero = Vector::all(0);
  along<Vector>(
      n,
      [&](int64_t at, int64_t) {
        Type weight = Vector::multiply(Vector::load(p + at), factor);
        Vector::store(
            y + at, Vector::multiply(weight, Vector::subtract(Vector::load(x + at), mean)));
      },
      [&](int64_t at, int64_t, int64_t left) {
        Type weight = Vector::multiply(Vector::load_first(left, p + at, zero), factor);
        Type difference = Vector::subtract(Vector::load_first(left, x + at, zero), mean);
        Vector::store_first(left, y + at, Vector::multiply(weight, difference));
      });
}

// The middle of attention's backward tangent: ds = P' = p (c ds - mu), dp = P' (gp - delta) + p (dp - d_delta).
template <class Vector>
void attention_second(
    int64_t n, const char* p, char* ds, const char* gp, char* dp, float c, float mu, float delta,
    float d_delta) {
  using Type = typename Vector::Type;
  Type zero = Vector::all(0);
  auto step = [&](Type prob, Type s, Type g, Type d, Type* d_prob, Type* second) {
    *d_prob = Vector::multiply(prob, Vector::multiply_add(Vector::all(c), s, Vector::all(-mu)));
    Type direct = Vector::multiply(prob, Vector::subtract(d, Vector::all(d_delta)));
    *second = Vector::multiply_add(*d_prob, Vector::subtract(g, Vector::all(delta)), direct);
  };
  along<Vector>(
      n,
      [&](int64_t at, int64_t) {
        Type d_prob, second;
        step(
            Vector::load(p + at), Vector::load(ds + at), Vector::load(gp + at),
            Vector::load(dp + at), &d_prob, &second);
        Vector::store(ds + at, d_prob);
        Vector::store(dp + at, second);
      },
      [&](int64_t at, int64_t, int64_t left) {
        Type d_prob, second;
        step(
            Vector::load_first(left, p + at, zero), Vector::load_first(left, ds + at, zero),
            Vector::load_first(left, gp + at, zero), Vector::load_first(left, dp + at, zero),
            &d_prob, &second);
        Vector::store_first(left, ds + at, d_prob);
        Vector::store_first(left, dp + at, second);
      });
}

// y = a x + b y.
template <class Vector>
void axpby(int64_t n, float a, const char* x, float b, char* y) {
  using Type = typename Vector::Type;
  Type zero = Vector::all(0);
  auto sum = [&](Type of_x, Type of_y) {
    return Vector::multiply_add(Vector::all(a), of_x, Vector::multiply(Vector::all(b), of_y));
  };
  along<Vector>(
      n,
      [&](int64_t at, int64_t) { Vector::store(y + at, sum(Vector::load(x + at), Vector::load(y + at))); },
      [&](int64_t at, int64_t, int64_t left) {
        Type of_x = Vector::load_first(left, x + at, zero);
        Vector::store_first(left, y + at, sum(of_x, Vector::load_first(left, y + at, zero)));
      });
}

template <class Vector>
float dot3(int64_t n, const char* x, const char* y, const char* z) {
  using Type = typename Vector::Type;
  Lanes<Vector> sum;
  Type zero = Vector::all(0);
  along<Vector>(
      n,
      [&](int64_t at, int64_t v) {
        Type product = Vector::multiply(Vector::load(x + at), Vector::load(y + at));
        sum.part[v] = Vector::multiply_add(product, Vector::load(z + at), sum.part[v]);
      },
      [&](int64_t at, int64_t v, int64_t left) {
        Type a = Vector::load_first(left, x + at, zero);
        Type product = Vector::multiply(a, Vector::load_first(left, y + at, zero));
        sum.part[v] = Vector::multiply_add(product, Vector::load_first(left, z + at, zero), sum.part[v]);
      });
  return sum.fold();
}

// A float at any byte.
typedef float __attribute__((aligned(1), may_alias)) Float;

// Sum of x y in double.
inline double dot_double(int64_t n, const char* x, const char* y) {
  const Float* a = reinterpret_cast<const Float*>(x);
  const Float* b = reinterpret_cast<const Float*>(y);
  double lane[LANES] = {};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int64_t j = 0; j < LANES; j++) {
      lane[j] = __builtin_fma(double(a[i + j]), double(b[i + j]), lane[j]);
    }
  }
  for (int64_t j = 0; i + j < n; j++) {
    lane[j] = __builtin_fma(double(a[i + j]), double(b[i + j]), lane[j]);
  }
  for (int64_t half = LANES / 2; half > 0; half /= 2) {
    for (int64_t j = 0; j < half; j++) {
      lane[j] += lane[j + half];
    }
  }
  return lane[0];
}

// Whether no element is infinite or not a number.
inline bool all_finite(int64_t n, const char* x) {
  constexpr uint32_t EXPONENT = 0x7F800000;
  const Bits* bits = reinterpret_cast<const Bits*>(x);
  uint32_t found = 0;
  for (int64_t i = 0; i < n; i++) {
    found |= (bits[i] & EXPONENT) == EXPONENT ? 1 : 0;
  }
  return found == 0;
}

// y = base + w (a1 g1 + a2 g2) + c1 s1 + c2 s2: NormSum of Java.
template <class Vector>
void norm_combine(
    int64_t n, const char* base, const char* w, float a1, const char* g1, float a2, const char* g2, float c1,
    const char* s1, float c2, const char* s2, char* y) {
  using Type = typename Vector::Type;
  auto sum = [&](auto load) {
    Type g = Vector::multiply_add(Vector::all(a1), load(g1), Vector::multiply(Vector::all(a2), load(g2)));
    Type t = Vector::multiply_add(load(w), g, load(base));
    t = Vector::multiply_add(Vector::all(c1), load(s1), t);
    return Vector::multiply_add(Vector::all(c2), load(s2), t);
  };
  along<Vector>(
      n,
      [&](int64_t at, int64_t) {
        Vector::store(y + at, sum([&](const char* run) { return Vector::load(run + at); }));
      },
      [&](int64_t at, int64_t, int64_t left) {
        Type zero = Vector::all(0);
        Type part = sum([&](const char* run) { return Vector::load_first(left, run + at, zero); });
        Vector::store_first(left, y + at, part);
      });
}

// A step of AdamW: AdamWStep of Java.
template <class Vector>
void adamw(
    int64_t n, float decay, float gain1, float beta2, float gain2, float size, float root_gain, float epsilon,
    char* theta, const char* g, char* m, char* v) {
  using Type = typename Vector::Type;
  auto all = [](float value) { return Vector::all(value); };
  auto step = [&](auto load, auto store) {
    Type gi = load(g);
    Type mi = load(m);
    mi = Vector::multiply_add(all(gain1), Vector::subtract(gi, mi), mi);
    Type vi = Vector::multiply_add(Vector::multiply(all(gain2), gi), gi, Vector::multiply(all(beta2), load(v)));
    Type root = Vector::multiply_add(Vector::root(vi), all(root_gain), all(epsilon));
    Type decayed = Vector::multiply(all(decay), load(theta));
    store(m, mi);
    store(v, vi);
    store(theta, Vector::multiply_add(all(-size), Vector::divide(mi, root), decayed));
  };
  along<Vector>(
      n,
      [&](int64_t at, int64_t) {
        step(
            [&](const char* run) { return Vector::load(run + at); },
            [&](char* run, Type value) { Vector::store(run + at, value); });
      },
      [&](int64_t at, int64_t, int64_t left) {
        step(
            [&](const char* run) { return Vector::load_first(left, run + at, all(0)); },
            [&](char* run, Type value) { Vector::store_first(left, run + at, value); });
      });
}

}  // namespace
