// Steps of optimizers on W elements. Every operation is rounded where it says so, whatever is around it: so kernels that
// share these give equal bytes.
#pragma once

#include "elements.cuh"

// What a step of AdamW does with every element, in PyTorch's order:
//   theta = theta shrink
//   m = m + rest1 (g - m),  v = beta2 v + rest2 g^2
//   theta = theta - rate m / (sqrt(v) root + epsilon)
// with shrink = 1 - lr wd, rest1 = 1 - beta1, rest2 = 1 - beta2, rate = lr / (1 - beta1^step) and root =
// (1 - beta2^step)^-1/2 from the host.
struct AdamWStep {
  float shrink;
  float rest1;
  float beta2;
  float rest2;
  float rate;
  float root;
  float epsilon;
};

// Takes the step at these addresses; gives the new theta.
template <int W>
DEVICE Piece<W> adamw(const AdamWStep& step, const Piece<W>& g, float* theta, float* m, float* v) {
  Piece<W> t = load<W>(theta);
  Piece<W> mean = load<W>(m);
  Piece<W> square = load<W>(v);
  mean = each<W>([&](int e) { return fmaf(step.rest1, g.v[e] - mean.v[e], mean.v[e]); });
  square = each<W>([&](int e) {
    return fmaf(rounded_product(step.rest2, g.v[e]), g.v[e], rounded_product(step.beta2, square.v[e]));
  });
  store(m, mean);
  store(v, square);
  t = each<W>([&](int e) {
    float size = mean.v[e] / fmaf(sqrtf(square.v[e]), step.root, step.epsilon);
    return fmaf(-step.rate, size, rounded_product(t.v[e], step.shrink));
  });
  store(theta, t);
  return t;
}

// a x + b y
template <int W>
DEVICE Piece<W> axpby(float a, const Piece<W>& x, float b, const Piece<W>& y) {
  return each<W>([&](int e) { return fmaf(a, x.v[e], rounded_product(b, y.v[e])); });
}

// Takes a step of gradient descent at these addresses: g = g + decay theta, b = momentum b + g, theta = theta - rate b;
// gives the new theta.
template <int W>
DEVICE Piece<W> descend(float rate, float momentum, float decay, const Piece<W>& g, float* theta, float* buffer) {
  Piece<W> t = load<W>(theta);
  Piece<W> b = axpby(1.f, decay == 0.f ? g : axpby(decay, t, 1.f, g), momentum, load<W>(buffer));
  t = axpby(-rate, b, 1.f, t);
  store(buffer, b);
  store(theta, t);
  return t;
}
