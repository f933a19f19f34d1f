// One step of AdamW on flat float32 vectors of n elements, in PyTorch's order:
//   theta = theta shrink
//   m = m + (1 - beta1) (g - m),  v = beta2 v + (1 - beta2) g^2
//   theta = theta - rate m / (sqrt(v) root + epsilon)
// with shrink = 1 - lr wd, rate = lr / (1 - beta1^step) and root = (1 - beta2^step)^-1/2 from the host.
#include "elements.cuh"

DEVICE void adamw_step(float* theta, const float* g, float* m, float* v, int64_t n, float shrink,
                       float rest1, float beta2, float rest2, float rate, float root, float epsilon) {
  each_piece<float>(n, aligned_16(theta, g, m, v), [=](auto width, int64_t i) {
    constexpr int W = width.value;
    Piece<W> t = load<W>(theta + i);
    Piece<W> gradient = load<W>(g + i);
    Piece<W> mean = load<W>(m + i);
    Piece<W> square = load<W>(v + i);
    mean = each<W>([&](int e) { return mean.v[e] + rest1 * (gradient.v[e] - mean.v[e]); });
    square = each<W>([&](int e) { return beta2 * square.v[e] + rest2 * gradient.v[e] * gradient.v[e]; });
    store(m + i, mean);
    store(v + i, square);
    store(theta + i, each<W>([&](int e) {
            return t.v[e] * shrink - rate * mean.v[e] / (sqrtf(square.v[e]) * root + epsilon);
          }));
  });
}

EXPORT_KERNEL(adamw_step, (256), float,
              (T * theta, const T* g, T* m, T* v, int64_t n, float shrink, float rest1, float beta2, float rest2,
               float rate, float root, float epsilon),
              ::adamw_step(theta, g, m, v, n, shrink, rest1, beta2, rest2, rate, root, epsilon))
