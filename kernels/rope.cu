// Rotary positions in half-split form: element j of a head turns with element j + half by the angle of its
// position and j. A block takes a token and its row in each of k directions; y may be x.
#include "elements.cuh"

template <class T, int W>
DEVICE void rotate_token(const float* cos, const float* sin, const int32_t* positions, const T* x, T* y,
                         int64_t tokens, int heads, int half, int64_t table_rows, int64_t k, int64_t x_stride,
                         int64_t y_stride, float sign) {
  int64_t position = positions[blockIdx.x];
  bool known = position >= 0 && position < table_rows;
  int pieces = half / W;
  for (int piece = threadIdx.x; piece < heads * pieces; piece += blockDim.x) {
    int head = piece / pieces;
    int j = (piece - head * pieces) * W;
    Piece<W> c = known ? load<W>(cos + position * half + j) : filled<W>(not_a_number());
    Piece<W> s = known ? load<W>(sin + position * half + j) : filled<W>(not_a_number());
    for (int64_t row = blockIdx.x; row < k * tokens; row += tokens) {
      int at = 2 * head * half + j;
      const T* from = x + row * x_stride + at;
      T* to = y + row * y_stride + at;
      Piece<W> a = load<W>(from);
      Piece<W> b = load<W>(from + half);
      store(to, each<W>([&](int e) { return a.v[e] * c.v[e] - sign * b.v[e] * s.v[e]; }));
      store(to + half, each<W>([&](int e) { return b.v[e] * c.v[e] + sign * a.v[e] * s.v[e]; }));
    }
  }
}

// cos, sin (table_rows,half); positions (tokens); x, y (k,tokens,heads,2,half) with rows their
// strides apart; sign 1 to rotate, -1 back.
template <class T>
DEVICE void rope_rotate(const float* cos, const float* sin, const int32_t* positions, const T* x, T* y,
                        int64_t tokens, int64_t heads, int64_t half, int64_t table_rows, int64_t k,
                        int64_t x_stride, int64_t y_stride, float sign) {
  if (whole_strides<T>(half, x_stride, y_stride) && aligned_16(cos, sin) && aligned_16(x, y)) {
    rotate_token<T, PACK<T>>(cos, sin, positions, x, y, tokens, heads, half, table_rows, k, x_stride, y_stride, sign);
  } else {
    rotate_token<T, 1>(cos, sin, positions, x, y, tokens, heads, half, table_rows, k, x_stride, y_stride, sign);
  }
}

KERNEL(rope_rotate, (256),
       (const float* cos, const float* sin, const int32_t* positions, const T* x, T* y, int64_t tokens,
        int64_t heads, int64_t half, int64_t table_rows, int64_t k, int64_t x_stride,
        int64_t y_stride, float sign),
       (cos, sin, positions, x, y, tokens, heads, half, table_rows, k, x_stride, y_stride, sign))
