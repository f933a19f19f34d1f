// The cross-entropy of rows of v logits and its derivatives. A block takes a row after another. Results need a second look
// at it: the first `kept` elements stay in shared memory, the others are in the L2 cache yet where it holds those of all
// rows under way, which is why nothing else stays there (CudaLoss).
#include "row_pieces.cuh"

constexpr float BELOW_ALL_LOGITS = -3.4e38f;

// A distribution exp(z - shift) / sum.
struct RowSoftmax {
  float shift;
  float sum;
};

template <int W, class T>
DEVICE Piece<W> with_bias(const Raw<W, float>& z, const T* bias, int i) {
  Piece<W> a = opened(z);
  Piece<W> b = load_or_zero<W>(bias, i);
  return each<W>([&](int e) { return a.v[e] + b.v[e]; });
}

template <int W>
DEVICE auto load_logits(const float* z) {
  return [=](int i, auto once) { return load_raw<W, decltype(once)::value>(z + i); };
}

template <int W, class T>
DEVICE RowSoftmax softmax_of_row(const float* z, const T* bias, int v, int kept) {
  float shift = BELOW_ALL_LOGITS;
  float sum = 0.f;
  each_first<W>(v, kept, load_logits<W>(z), [&](int i, const Raw<W, float>& raw) {
    Piece<W> x = with_bias(raw, bias, i);
    float before = shift;
#pragma unroll
    for (int e = 0; e < W; e++) {
      shift = fmaxf(shift, x.v[e]);
    }
    sum *= fast_exp(before - shift);
#pragma unroll
    for (int e = 0; e < W; e++) {
      sum += fast_exp(x.v[e] - shift);
    }
  });
  float top = block_max(shift);
  return {top, block_sum(sum * fast_exp(shift - top))};
}

template <class T, int W>
DEVICE void forward_rows(const float* z, const T* bias, const int32_t* targets, const float* weights, float* row_loss,
                         T* p, T* gz, int64_t rows, int v, int kept) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* of_row = z + row * v;
    int target = targets[row];
    float label = not_a_number();
    if (target >= 0 && target < v) {
      label = of_row[target] + (bias == nullptr ? 0.f : to_float(bias[target]));
    }
    RowSoftmax softmax = softmax_of_row<W>(of_row, bias, v, kept);
    if (threadIdx.x == 0) {
      row_loss[row] = logf(softmax.sum) + softmax.shift - label;
    }
    if (p == nullptr && gz == nullptr) {
      continue;
    }
    __syncthreads();  // gz may lie where z does: its label has been read by all
    float scale = 1.f / softmax.sum;
    float weight = gz == nullptr ? 0.f : weights[row];
    each_again<W>(v, kept, load_logits<W>(of_row), [&](int i, const Raw<W, float>& raw) {
      Piece<W> x = with_bias(raw, bias, i);
      Piece<W> q = each<W>([&](int e) { return fast_exp(x.v[e] - softmax.shift) * scale; });
      if (p != nullptr) {
        store_once(p + row * v + i, q);
      }
      if (gz != nullptr) {
        Piece<W> g = each<W>([&](int e) { return weight * (i + e == target ? q.v[e] - 1.f : q.v[e]); });
        store_once(gz + row * v + i, g);
      }
    });
  }
}

// z (rows,v) plus bias (v) or null; targets, row_loss (rows); p (rows,v) or null; weights (rows) and gz (rows,v), or both
// null. gz may lie where z does if they are of one type. A target outside gives the loss NaN. kept: elements of a row that
// dynamic shared memory has room for, of 4 bytes, a multiple of 8 or all.
template <class T>
DEVICE void cross_entropy_forward(const float* z, const T* bias, const int32_t* targets, const float* weights,
                                  float* row_loss, T* p, T* gz, int64_t rows, int64_t v, int64_t kept) {
  if (v % PACK<T> == 0 && aligned_16(z) && aligned_16(bias, p, gz)) {
    forward_rows<T, PACK<T>>(z, bias, targets, weights, row_loss, p, gz, rows, v, kept);
  } else {
    forward_rows<T, 1>(z, bias, targets, weights, row_loss, p, gz, rows, v, kept);
  }
}

// Probabilities and the tangents of their logits.
template <class T, int W>
struct WithTangent {
  Raw<W, T> p;
  Raw<W, T> dz;
};

template <class T, int W>
DEVICE auto load_both(const T* p, const T* dz) {
  return [=](int i, auto once) {
    constexpr bool ONCE = decltype(once)::value;
    return WithTangent<T, W>{load_raw<W, ONCE>(p + i), load_raw<W, ONCE>(dz + i)};
  };
}

// The mean of dz under p. Divided by the sum of p as it was rounded: so it does not see a common offset of dz, and
// diag(p) - p p^T stays positive semi-definite.
template <class T, int W>
DEVICE float mean_of_row(const T* p, const T* dz, int v, int kept) {
  float product = 0.f;
  float total = 0.f;
  each_first<W>(v, kept, load_both<T, W>(p, dz), [&](int, const WithTangent<T, W>& both) {
    Piece<W> q = opened(both.p);
    Piece<W> x = opened(both.dz);
#pragma unroll
    for (int e = 0; e < W; e++) {
      product += q.v[e] * x.v[e];
      total += q.v[e];
    }
  });
  product = block_sum(product);
  return product / block_sum(total);
}

template <class T, int W>
DEVICE void tangent_rows(const T* p, const int32_t* targets, const T* dz, float* dloss, int64_t first, int64_t rows,
                         int64_t m, int v) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    int64_t primal = (first + row) % m;
    float mean = mean_of_row<T, W>(p + primal * v, dz + row * v, v, 0);
    if (threadIdx.x == 0) {
      int target = targets[primal];
      bool known = target >= 0 && target < v;
      dloss[first + row] = mean - (known ? to_float(dz[row * v + target]) : not_a_number());
    }
  }
}

// Rows first to first + rows of k directions of m rows: p (m,v); targets (m); dz (rows,v); dloss (k,m).
template <class T>
DEVICE void cross_entropy_tangent(const T* p, const int32_t* targets, const T* dz, float* dloss, int64_t first,
                                  int64_t rows, int64_t m, int64_t v) {
  if (v % PACK<T> == 0 && aligned_16(p, dz)) {
    tangent_rows<T, PACK<T>>(p, targets, dz, dloss, first, rows, m, v);
  } else {
    tangent_rows<T, 1>(p, targets, dz, dloss, first, rows, m, v);
  }
}

template <class T, int W>
DEVICE void backward_tangent_rows(const T* p, const float* weights, T* dz, int64_t first, int64_t rows, int64_t m, int v,
                                  int kept) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    int64_t primal = (first + row) % m;
    const T* of_row = p + primal * v;
    T* tangent = dz + row * v;
    float mean = mean_of_row<T, W>(of_row, tangent, v, kept);
    float weight = weights[primal];
    each_again<W>(v, kept, load_both<T, W>(of_row, tangent), [&](int i, const WithTangent<T, W>& both) {
      Piece<W> q = opened(both.p);
      Piece<W> x = opened(both.dz);
      store_once(tangent + i, each<W>([&](int e) { return weight * q.v[e] * (x.v[e] - mean); }));
    });
  }
}

// dz = w p (dz - mean), in place; arguments as in cross_entropy_tangent, weights (m), kept as in cross_entropy_forward, of
// two elements each.
template <class T>
DEVICE void cross_entropy_backward_tangent(const T* p, const float* weights, T* dz, int64_t first, int64_t rows,
                                           int64_t m, int64_t v, int64_t kept) {
  if (v % PACK<T> == 0 && aligned_16(p, dz)) {
    backward_tangent_rows<T, PACK<T>>(p, weights, dz, first, rows, m, v, kept);
  } else {
    backward_tangent_rows<T, 1>(p, weights, dz, first, rows, m, v, kept);
  }
}

KERNEL(cross_entropy_forward, (1024, 1),
       (const float* z, const T* bias, const int32_t* targets, const float* weights, float* row_loss, T* p, T* gz,
        int64_t rows, int64_t v, int64_t kept),
       (z, bias, targets, weights, row_loss, p, gz, rows, v, kept))
KERNEL(cross_entropy_tangent, (1024, 1),
       (const T* p, const int32_t* targets, const T* dz, float* dloss, int64_t first, int64_t rows, int64_t m, int64_t v),
       (p, targets, dz, dloss, first, rows, m, v))
KERNEL(cross_entropy_backward_tangent, (1024, 1),
       (const T* p, const float* weights, T* dz, int64_t first, int64_t rows, int64_t m, int64_t v, int64_t kept),
       (p, weights, dz, first, rows, m, v, kept))
