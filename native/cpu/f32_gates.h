// The functions of gated units h = f(a) b and their derivatives, for any instruction set (see f32_functions.h): the
// operations of Java's ScalarGates in the same order, so the numbers are the same to the bit.
#pragma once

#include <cstdint>

#include "f32_rows.h"

namespace {

// In the order of Java's Nonlinearity.
enum Nonlinearity { SILU, GELU, GELU_TANH };

// Elements from f to f' and from f' to f'': RUN of Java's GatePrimitives.
constexpr int64_t GATE_RUN = 1024;

template <class Vector>
struct Gates {
  using Type = typename Vector::Type;

  // f and its derivatives up to the order that is wanted.
  struct Derivatives {
    Type of[3];
  };

  static Type all(float value) { return Vector::all(value); }
  static Type add(Type a, Type b) { return Vector::add(a, b); }
  static Type subtract(Type a, Type b) { return Vector::subtract(a, b); }
  static Type multiply(Type a, Type b) { return Vector::multiply(a, b); }
  static Type fma(Type a, Type b, Type c) { return Vector::multiply_add(a, b, c); }
  static Type reciprocal(Type a) { return Vector::divide(all(1), a); }
  static Type negate(Type a) { return subtract(all(-0.0f), a); }

  // x within 30 and -30, beyond which the functions of a are 0 or 1 in floats.
  static Type near(Type x) {
    Type above = Vector::where_less(x, all(-30), all(-30), x);
    return Vector::where_less(all(30), above, all(30), above);
  }

  static Derivatives silu(Type x) {
    Type s = reciprocal(add(all(1), exponential<Vector>(negate(x))));
    Type t = subtract(all(1), s);
    return {{
        multiply(x, s),
        multiply(s, fma(x, t, all(1))),
        multiply(multiply(s, t), fma(x, subtract(t, s), all(2)))}};
  }

  // By Press et al.'s approximation of erfc; ScalarGates.ERFC.
  static Derivatives gelu(Type x) {
    constexpr float ERFC[] = {
        0.17087277f, -0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f, 0.09678418f,
        0.37409196f, 1.00002368f, -1.26551223f};
    Type a = near(x);
    Type z = multiply(Vector::where_less(a, all(0), negate(a), a), all(0.70710678f));
    Type t = reciprocal(fma(z, all(.5f), all(1)));
    Type p = all(ERFC[0]);
    for (int i = 1; i < 10; i++) {
      p = fma(p, t, all(ERFC[i]));
    }
    Type tail = multiply(multiply(all(.5f), t), exponential<Vector>(fma(negate(z), z, p)));
    Type below = Vector::where_less(a, all(0), tail, subtract(all(1), tail));
    Type density = multiply(exponential<Vector>(negate(multiply(z, z))), all(0.39894228f));
    return {{
        multiply(x, below), fma(a, density, below), multiply(fma(negate(a), a, all(2)), density)}};
  }

  static Derivatives gelu_tanh(Type x) {
    constexpr double SLOPE_OF_W = 1.5957691216057308;
    constexpr float SLOPE = float(SLOPE_OF_W);
    constexpr float SLOPE_3 = float(SLOPE_OF_W * 0.044715);
    Type a = near(x);
    Type square = multiply(a, a);
    Type w = multiply(a, fma(square, all(SLOPE_3), all(SLOPE)));
    Type e = exponential<Vector>(Vector::where_less(w, all(0), w, negate(w)));
    Type larger = reciprocal(add(all(1), e));
    Type smaller = multiply(e, larger);
    Type s = Vector::where_less(w, all(0), smaller, larger);
    Type t = Vector::where_less(w, all(0), larger, smaller);
    Type w1 = fma(square, all(3 * SLOPE_3), all(SLOPE));
    Type s1 = multiply(s, t);
    Type bend = fma(multiply(w1, w1), subtract(t, s), multiply(a, all(6 * SLOPE_3)));
    return {{
        multiply(x, s), fma(multiply(a, w1), s1, s), multiply(s1, fma(a, bend, multiply(all(2), w1)))}};
  }

  template <class Function>
  static inline __attribute__((always_inline)) void each(
      int64_t order, int64_t n, const char* a, char* f, Function function) {
    along<Vector>(
        n,
        [&](int64_t at, int64_t) {
          Derivatives d = function(Vector::load(a + at));
          for (int64_t i = 0; i <= order; i++) {
            Vector::store(f + 4 * GATE_RUN * i + at, d.of[i]);
          }
        },
        [&](int64_t at, int64_t, int64_t left) {
          Derivatives d = function(Vector::load_first(left, a + at, all(0)));
          for (int64_t i = 0; i <= order; i++) {
            Vector::store_first(left, f + 4 * GATE_RUN * i + at, d.of[i]);
          }
        });
  }

  // With the order as a constant, so that what is not wanted is not computed.
  template <class Function>
  static void derivatives(int64_t order, int64_t n, const char* a, char* f, Function function) {
    if (order == 0) {
      each(0, n, a, f, function);
    } else if (order == 1) {
      each(1, n, a, f, function);
    } else {
      each(2, n, a, f, function);
    }
  }

  static void derivatives(int64_t nonlinearity, int64_t order, int64_t n, const char* a, char* f) {
    switch (nonlinearity) {
      case SILU: return derivatives(order, n, a, f, [](Type x) { return silu(x); });
      case GELU: return derivatives(order, n, a, f, [](Type x) { return gelu(x); });
      default: return derivatives(order, n, a, f, [](Type x) { return gelu_tanh(x); });
    }
  }
};

}  // namespace
