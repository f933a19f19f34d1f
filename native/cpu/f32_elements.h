// Arithmetic element by element, for any instruction set (see f32_functions.h): the operations of Java's ScalarRows and
// ScalarRecords in the same order.
#pragma once

#include <cstdint>

namespace {

// How a vector's worth of elements is read and written: all of it,
template <class Vector>
struct Whole {
  using Type = typename Vector::Type;

  static Type load(const char* at) { return Vector::load(at); }
  static void store(char* at, Type value) { Vector::store(at, value); }
};

// or the first of it, at the end of a run.
template <class Vector>
struct First {
  using Type = typename Vector::Type;

  int64_t count;

  Type load(const char* at) const { return Vector::load_first(count, at, Vector::all(0)); }
  void store(char* at, Type value) const { Vector::store_first(count, at, value); }
};

// Calls step(offset in bytes, Whole or First) for each vector of a run.
template <class Vector, class Step>
inline __attribute__((always_inline)) void each(int64_t n, Step step) {
  constexpr int64_t LENGTH = Vector::BYTES / 4;
  int64_t i = 0;
  for (; i + LENGTH <= n; i += LENGTH) {
    step(4 * i, Whole<Vector>());
  }
  if (i < n) {
    step(4 * i, First<Vector>{n - i});
  }
}

// x = value.
template <class Vector>
void fill(int64_t n, char* x, float value) {
  each<Vector>(n, [&](int64_t at, auto some) { some.store(x + at, Vector::all(value)); });
}

// y = x + f.
template <class Vector>
void add(int64_t n, const char* x, const char* f, char* y) {
  each<Vector>(n, [&](int64_t at, auto some) {
    some.store(y + at, Vector::add(some.load(x + at), some.load(f + at)));
  });
}

// y = a x + b y.
template <class Vector>
void axpby(int64_t n, float a, const char* x, float b, char* y) {
  each<Vector>(n, [&](int64_t at, auto some) {
    auto before = Vector::multiply(Vector::all(b), some.load(y + at));
    some.store(y + at, Vector::multiply_add(Vector::all(a), some.load(x + at), before));
  });
}

// y = a x.
template <class Vector>
void scale(int64_t n, float a, const char* x, char* y) {
  each<Vector>(n, [&](int64_t at, auto some) {
    some.store(y + at, Vector::multiply(Vector::all(a), some.load(x + at)));
  });
}

// y = a p (x - shift).
template <class Vector>
void weighted(int64_t n, float a, const char* p, const char* x, float shift, char* y) {
  each<Vector>(n, [&](int64_t at, auto some) {
    auto weight = Vector::multiply(some.load(p + at), Vector::all(a));
    auto difference = Vector::subtract(some.load(x + at), Vector::all(shift));
    some.store(y + at, Vector::multiply(weight, difference));
  });
}

// y = a (x + d), where x itself stands for x + 0.
template <class Vector>
void changed(int64_t n, float a, const char* x, const char* d, char* y) {
  each<Vector>(n, [&](int64_t at, auto some) {
    auto value = some.load(x + at);
    auto change = some.load(d + at);
    auto sum = Vector::where_equal(change, Vector::all(0), value, Vector::add(value, change));
    some.store(y + at, Vector::multiply(Vector::all(a), sum));
  });
}

// y = base + w (a1 g1 + a2 g2) + c1 s1 + c2 s2.
template <class Vector>
void norm_combine(
    int64_t n, const char* base, const char* w, float a1, const char* g1, float a2, const char* g2,
    float c1, const char* s1, float c2, const char* s2, char* y) {
  each<Vector>(n, [&](int64_t at, auto some) {
    auto second = Vector::multiply(Vector::all(a2), some.load(g2 + at));
    auto g = Vector::multiply_add(Vector::all(a1), some.load(g1 + at), second);
    auto sum = Vector::multiply_add(some.load(w + at), g, some.load(base + at));
    sum = Vector::multiply_add(Vector::all(c1), some.load(s1 + at), sum);
    some.store(y + at, Vector::multiply_add(Vector::all(c2), some.load(s2 + at), sum));
  });
}

// The middle of attention's backward tangent: ds = P' = p (c ds - mu), dp = P' (gp - delta) + p (dp - d_delta).
template <class Vector>
void attention_second(
    int64_t n, const char* p, char* ds, const char* gp, char* dp, float c, float mu, float delta,
    float d_delta) {
  each<Vector>(n, [&](int64_t at, auto some) {
    auto prob = some.load(p + at);
    auto scaled = Vector::multiply_add(Vector::all(c), some.load(ds + at), Vector::all(-mu));
    auto d_prob = Vector::multiply(prob, scaled);
    auto direct =
        Vector::multiply(prob, Vector::subtract(some.load(dp + at), Vector::all(d_delta)));
    auto through = Vector::subtract(some.load(gp + at), Vector::all(delta));
    some.store(ds + at, d_prob);
    some.store(dp + at, Vector::multiply_add(d_prob, through, direct));
  });
}

// Pairs of a head turned in place: x1 becomes x1 c - sign x2 s, x2 becomes x2 c + sign x1 s; the x2 begin pairs floats
// after the x1.
template <class Vector>
void rotate(int64_t pairs, char* x, const char* cosines, const char* sines, float sign) {
  int64_t second = 4 * pairs;
  each<Vector>(pairs, [&](int64_t at, auto some) {
    auto c = some.load(cosines + at);
    auto s = Vector::multiply(Vector::all(sign), some.load(sines + at));
    auto x1 = some.load(x + at);
    auto x2 = some.load(x + second + at);
    some.store(x + at, Vector::multiply_add(x1, c, Vector::negate(Vector::multiply(x2, s))));
    some.store(x + second + at, Vector::multiply_add(x2, c, Vector::multiply(x1, s)));
  });
}

// One step of AdamW, see Java's RowPrimitives.AdamWStep.
template <class Vector>
void adam_w(
    int64_t n, char* theta, const char* g, char* m, char* v, float decay, float gain1, float beta2,
    float gain2, float size, float root_gain, float epsilon) {
  each<Vector>(n, [&](int64_t at, auto some) {
    auto gi = some.load(g + at);
    auto mi = some.load(m + at);
    mi = Vector::multiply_add(Vector::all(gain1), Vector::subtract(gi, mi), mi);
    auto kept = Vector::multiply(Vector::all(beta2), some.load(v + at));
    auto vi = Vector::multiply_add(Vector::multiply(Vector::all(gain2), gi), gi, kept);
    auto root =
        Vector::multiply_add(Vector::root(vi), Vector::all(root_gain), Vector::all(epsilon));
    auto decayed = Vector::multiply(Vector::all(decay), some.load(theta + at));
    some.store(m + at, mi);
    some.store(v + at, vi);
    some.store(
        theta + at, Vector::multiply_add(Vector::all(-size), Vector::divide(mi, root), decayed));
  });
}

}  // namespace
