// Gated units h = f(a) b along a run, for any instruction set (see f32_functions.h): the operations of Java's ScalarGates
// in the same order. f, f' and f'' lie `apart` bytes from each other.
#pragma once

#include <cstdint>

#include "f32_elements.h"
#include "f32_rows.h"

namespace {

// Beyond it sigma(w), Phi and phi are 0 or 1 in floats; a is cut there before it is squared.
constexpr float FAR = 30.0f;

constexpr float SLOPE = float(1.5957691216057308);
constexpr float SLOPE_3 = float(1.5957691216057308 * 0.044715);
constexpr float ROOT_HALF = 0.70710678f;
constexpr float ROOT_2_PI = 0.39894228f;

// Of erfc, as in ScalarGates.
constexpr float ERFC[] = {
    0.17087277f, -0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f,
    -0.18628806f, 0.09678418f, 0.37409196f, 1.00002368f, -1.26551223f};

template <class Vector>
inline __attribute__((always_inline)) typename Vector::Type near(typename Vector::Type x) {
  auto above = Vector::where_less(x, Vector::all(-FAR), Vector::all(-FAR), x);
  return Vector::where_less(Vector::all(FAR), above, Vector::all(FAR), above);
}

// a sigma(a) and its derivatives up to an order.
template <class Vector>
void silu(int64_t n, int64_t order, const char* a, char* f, int64_t apart) {
  auto one = Vector::all(1);
  each<Vector>(n, [&](int64_t at, auto some) {
    auto x = some.load(a + at);
    auto s = Vector::divide(one, Vector::add(one, exponential<Vector>(Vector::negate(x))));
    some.store(f + at, Vector::multiply(x, s));
    if (order > 0) {
      auto t = Vector::subtract(one, s);
      some.store(f + apart + at, Vector::multiply(s, Vector::multiply_add(x, t, one)));
      if (order > 1) {
        auto bend = Vector::multiply_add(x, Vector::subtract(t, s), Vector::all(2));
        some.store(f + 2 * apart + at, Vector::multiply(Vector::multiply(s, t), bend));
      }
    }
  });
}

// a Phi(a) and its derivatives up to an order.
template <class Vector>
void gelu(int64_t n, int64_t order, const char* a, char* f, int64_t apart) {
  auto one = Vector::all(1);
  each<Vector>(n, [&](int64_t at, auto some) {
    auto x = some.load(a + at);
    auto cut = near<Vector>(x);
    auto z = Vector::multiply(Vector::magnitude(cut), Vector::all(ROOT_HALF));
    auto t = Vector::divide(one, Vector::multiply_add(z, Vector::all(.5f), one));
    auto p = Vector::all(ERFC[0]);
    for (int64_t j = 1; j < 10; j++) {
      p = Vector::multiply_add(p, t, Vector::all(ERFC[j]));
    }
    auto power = exponential<Vector>(Vector::multiply_add(Vector::negate(z), z, p));
    auto tail = Vector::multiply(Vector::multiply(Vector::all(.5f), t), power);
    auto below = Vector::where_less(cut, Vector::all(0), tail, Vector::subtract(one, tail));
    some.store(f + at, Vector::multiply(x, below));
    if (order > 0) {
      auto bell = exponential<Vector>(Vector::negate(Vector::multiply(z, z)));
      auto density = Vector::multiply(bell, Vector::all(ROOT_2_PI));
      some.store(f + apart + at, Vector::multiply_add(cut, density, below));
      if (order > 1) {
        auto bend = Vector::multiply_add(Vector::negate(cut), cut, Vector::all(2));
        some.store(f + 2 * apart + at, Vector::multiply(bend, density));
      }
    }
  });
}

// a sigma(w(a)), the form with a hyperbolic tangent, and its derivatives up to an order.
template <class Vector>
void gelu_tanh(int64_t n, int64_t order, const char* a, char* f, int64_t apart) {
  auto one = Vector::all(1);
  auto zero = Vector::all(0);
  each<Vector>(n, [&](int64_t at, auto some) {
    auto x = some.load(a + at);
    auto cut = near<Vector>(x);
    auto square = Vector::multiply(cut, cut);
    auto w = Vector::multiply(
        cut, Vector::multiply_add(square, Vector::all(SLOPE_3), Vector::all(SLOPE)));
    auto e = exponential<Vector>(Vector::negate(Vector::magnitude(w)));
    auto larger = Vector::divide(one, Vector::add(one, e));
    auto smaller = Vector::multiply(e, larger);
    auto s = Vector::where_less(w, zero, smaller, larger);
    some.store(f + at, Vector::multiply(x, s));
    if (order > 0) {
      auto t = Vector::where_less(w, zero, larger, smaller);
      auto w1 = Vector::multiply_add(square, Vector::all(3 * SLOPE_3), Vector::all(SLOPE));
      auto s1 = Vector::multiply(s, t);
      some.store(f + apart + at, Vector::multiply_add(Vector::multiply(cut, w1), s1, s));
      if (order > 1) {
        auto bend = Vector::multiply_add(
            Vector::multiply(w1, w1), Vector::subtract(t, s),
            Vector::multiply(cut, Vector::all(6 * SLOPE_3)));
        auto slope = Vector::multiply_add(cut, bend, Vector::multiply(Vector::all(2), w1));
        some.store(f + 2 * apart + at, Vector::multiply(s1, slope));
      }
    }
  });
}

// h = f b.
template <class Vector>
void gate(int64_t n, const char* f, const char* b, char* h) {
  each<Vector>(n, [&](int64_t at, auto some) {
    some.store(h + at, Vector::multiply(some.load(f + at), some.load(b + at)));
  });
}

// dh = f' da b + f db.
template <class Vector>
void gate_tangent(
    int64_t n, const char* f, int64_t apart, const char* b, const char* da, const char* db,
    char* dh) {
  each<Vector>(n, [&](int64_t at, auto some) {
    auto through = Vector::multiply(some.load(f + apart + at), some.load(b + at));
    auto gated = Vector::multiply(some.load(f + at), some.load(db + at));
    some.store(dh + at, Vector::multiply_add(through, some.load(da + at), gated));
  });
}

// ga = gh b f', gb = gh f.
template <class Vector>
void gate_backward(
    int64_t n, const char* f, int64_t apart, const char* b, const char* gh, char* ga, char* gb) {
  each<Vector>(n, [&](int64_t at, auto some) {
    auto g = some.load(gh + at);
    auto through = Vector::multiply(g, some.load(b + at));
    some.store(ga + at, Vector::multiply(through, some.load(f + apart + at)));
    some.store(gb + at, Vector::multiply(g, some.load(f + at)));
  });
}

// dga = dgh b f' + gh db f' + gh b f'' da, dgb = dgh f + gh f' da.
template <class Vector>
void gate_backward_tangent(
    int64_t n, const char* f, int64_t apart, const char* b, const char* gh, const char* da,
    const char* db, const char* dgh, char* dga, char* dgb) {
  each<Vector>(n, [&](int64_t at, auto some) {
    auto y = some.load(b + at);
    auto g = some.load(gh + at);
    auto dx = some.load(da + at);
    auto dg = some.load(dgh + at);
    auto value = some.load(f + at);
    auto first = some.load(f + apart + at);
    auto second = some.load(f + 2 * apart + at);
    auto linear = Vector::multiply_add(dg, y, Vector::multiply(g, some.load(db + at)));
    auto curved = Vector::multiply(Vector::multiply(g, y), Vector::multiply(second, dx));
    some.store(dga + at, Vector::multiply_add(linear, first, curved));
    some.store(
        dgb + at, Vector::multiply_add(dg, value, Vector::multiply(g, Vector::multiply(first, dx))));
  });
}

}  // namespace
