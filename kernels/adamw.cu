// One step of AdamW on flat float32 vectors of n elements.
#include "optimizer.cuh"

DEVICE void adamw_step(float* theta, const float* g, float* m, float* v, int64_t n, const AdamWStep& step) {
  each_piece<float>(n, aligned_16(theta, g, m, v), [=](auto width, int64_t i) {
    adamw(step, load<width.value>(g + i), theta + i, m + i, v + i);
  });
}

EXPORT_KERNEL(adamw_step, (256), float,
              (T * theta, const T* g, T* m, T* v, int64_t n, float shrink, float rest1, float beta2, float rest2,
               float rate, float root, float epsilon),
              ::adamw_step(theta, g, m, v, n, {shrink, rest1, beta2, rest2, rate, root, epsilon}))
