// C = alpha (sum of the parts of a product whose depth was split, in order) + beta C.
#include "elements.cuh"

// partial (batch,splits,m,n); one thread an element of (batch,m,n), in a grid-stride loop
template <class T>
DEVICE void gemm_reduce(const float* partial, T* c, int64_t c_stride, int64_t c_batch, int64_t m, int64_t n,
                        int64_t splits, int64_t batch, float alpha, float beta) {
  for (int64_t i = first_element(); i < batch * m * n; i += grid_elements()) {
    int64_t entry = i / (m * n);
    int64_t inside = i % (m * n);
    float sum = 0.f;
    for (int64_t split = 0; split < splits; split++) {
      sum += partial[(entry * splits + split) * m * n + inside];
    }
    T& target = c[entry * c_batch + inside / n * c_stride + inside % n];
    float old = beta == 0.f ? 0.f : beta * to_float(target);
    target = from_float<T>(alpha * sum + old);
  }
}

KERNEL(gemm_reduce, (256),
       (const float* partial, T* c, int64_t c_stride, int64_t c_batch, int64_t m, int64_t n, int64_t splits,
        int64_t batch, float alpha, float beta),
       (partial, c, c_stride, c_batch, m, n, splits, batch, alpha, beta))
