// Rotary positions in half-split form: element j of a head turns in place with element j + pairs by the angle of its
// position and j; what follows the pairs stays. A block takes a token and its row in each of k directions.
#include "elements.cuh"

template <class T, int W>
DEVICE void rotate_token(const float* cos, const float* sin, const int32_t* positions, T* x, int64_t tokens,
                         int heads, int head_size, int pairs, int64_t table_rows, int64_t k, int64_t stride,
                         float sign) {
  int64_t position = positions[blockIdx.x];
  bool known = position >= 0 && position < table_rows;
  int pieces = pairs / W;
  for (int piece = threadIdx.x; piece < heads * pieces; piece += blockDim.x) {
    int head = piece / pieces;
    int j = (piece - head * pieces) * W;
    Piece<W> c = known ? load<W>(cos + position * pairs + j) : filled<W>(not_a_number());
    Piece<W> s = known ? load<W>(sin + position * pairs + j) : filled<W>(not_a_number());
    for (int64_t row = blockIdx.x; row < k * tokens; row += tokens) {
      T* at = x + row * stride + head * head_size + j;
      Piece<W> a = load<W>(at);
      Piece<W> b = load<W>(at + pairs);
      store(at, each<W>([&](int e) { return a.v[e] * c.v[e] - sign * b.v[e] * s.v[e]; }));
      store(at + pairs, each<W>([&](int e) { return b.v[e] * c.v[e] + sign * a.v[e] * s.v[e]; }));
    }
  }
}

// cos, sin (table_rows,pairs); positions (tokens); x (k,tokens,heads,head_size) with rows a stride apart; sign 1 to
// rotate, -1 back.
template <class T>
DEVICE void rope_rotate(const float* cos, const float* sin, const int32_t* positions, T* x, int64_t tokens,
                        int64_t heads, int64_t head_size, int64_t pairs, int64_t table_rows, int64_t k,
                        int64_t stride, float sign) {
  if (whole_strides<T>(pairs, head_size, stride) && aligned_16(cos, sin, x)) {
    rotate_token<T, PACK<T>>(cos, sin, positions, x, tokens, heads, head_size, pairs, table_rows, k, stride, sign);
  } else {
    rotate_token<T, 1>(cos, sin, positions, x, tokens, heads, head_size, pairs, table_rows, k, stride, sign);
  }
}

KERNEL(rope_rotate, (256),
       (const float* cos, const float* sin, const int32_t* positions, T* x, int64_t tokens, int64_t heads,
        int64_t head_size, int64_t pairs, int64_t table_rows, int64_t k, int64_t stride, float sign),
       (cos, sin, positions, x, tokens, heads, head_size, pairs, table_rows, k, stride, sign))
