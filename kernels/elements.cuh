// Elementwise work, 16 bytes at a time where everything is aligned to that, else an element at a time.
#pragma once

#include "device.cuh"

// Elements of T in 16 bytes.
template <class T>
constexpr int PACK = 16 / sizeof(T);

// W consecutive elements.
template <int W>
struct Piece {
  float v[W];
};

// A number as a type, for bodies of loops that are compiled for pieces of one element and of several.
template <int W>
struct Width {
  static constexpr int value = W;
};

// Whether all of these begin at multiples of 16 bytes; null pointers do.
template <class... P>
DEVICE bool aligned_16(const P*... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) | ...) & 15) == 0;
}

// Whether rows of T so many elements apart all begin at multiples of 16 bytes, if the first ones do.
template <class T, class... N>
DEVICE bool whole_strides(N... strides) {
  return (... && (strides % PACK<T> == 0));
}

// W consecutive elements of T as they lie in memory: one, or a multiple of PACK<T> from a multiple of 16 bytes on.
template <int W, class T>
struct Raw {
  uint4 packs[W / PACK<T>];
};

template <class T>
struct Raw<1, T> {
  T element;
};

template <int W, bool ONCE = false, class T>
DEVICE Raw<W, T> load_raw(const T* from) {
  Raw<W, T> x;
  if constexpr (W == 1) {
    x.element = *from;
  } else {
    require_aligned_16(from);
#pragma unroll
    for (int i = 0; i < W / PACK<T>; i++) {
      const uint4* pack = reinterpret_cast<const uint4*>(from) + i;
      x.packs[i] = ONCE ? load_16_once(pack) : load_16(pack);
    }
  }
  return x;
}

template <int W, class T>
DEVICE Piece<W> opened(const Raw<W, T>& raw) {
  Piece<W> x;
  if constexpr (W == 1) {
    x.v[0] = to_float(raw.element);
  } else {
#pragma unroll
    for (int i = 0; i < W; i++) {
      uint4 pack = raw.packs[i / PACK<T>];
      const uint32_t words[4] = {pack.x, pack.y, pack.z, pack.w};
      if constexpr (sizeof(T) == 4) {
        x.v[i] = __uint_as_float(words[i % 4]);
      } else {
        uint32_t word = words[i % PACK<T> / 2];
        x.v[i] = __uint_as_float(i % 2 == 0 ? word << 16 : word & 0xffff0000u);
      }
    }
  }
  return x;
}

template <int W, class T>
DEVICE Piece<W> load(const T* from) {
  return opened(load_raw<W>(from));
}

// Numbers rounded to T, as they lie in memory.
template <class T, int W>
DEVICE Raw<W, T> rounded(const Piece<W>& x) {
  Raw<W, T> raw;
  if constexpr (W == 1) {
    raw.element = from_float<T>(x.v[0]);
  } else {
#pragma unroll
    for (int i = 0; i < W / PACK<T>; i++) {
      uint32_t words[4];
#pragma unroll
      for (int j = 0; j < 4; j++) {
        if constexpr (sizeof(T) == 4) {
          words[j] = __float_as_uint(x.v[4 * i + j]);
        } else {
          words[j] = pack_bf16(x.v[8 * i + 2 * j], x.v[8 * i + 2 * j + 1]);
        }
      }
      raw.packs[i] = make_uint4(words[0], words[1], words[2], words[3]);
    }
  }
  return raw;
}

template <int W, bool ONCE = false, class T>
DEVICE void store_raw(T* to, const Raw<W, T>& x) {
  if constexpr (W == 1) {
    *to = x.element;
  } else {
    require_aligned_16(to);
#pragma unroll
    for (int i = 0; i < W / PACK<T>; i++) {
      uint4* pack = reinterpret_cast<uint4*>(to) + i;
      ONCE ? store_16_once(pack, x.packs[i]) : store_16(pack, x.packs[i]);
    }
  }
}

template <int W, class T>
DEVICE void store(T* to, const Piece<W>& x) {
  store_raw<W>(to, rounded<T>(x));
}

// As store, of what nobody reads soon.
template <int W, class T>
DEVICE void store_once(T* to, const Piece<W>& x) {
  store_raw<W, true>(to, rounded<T>(x));
}

// What stands where an index points outside: nothing is read there, and nobody can miss it.
DEVICE float not_a_number() { return __uint_as_float(0x7fc00000u); }

template <int W>
DEVICE Piece<W> filled(float value) {
  Piece<W> x;
#pragma unroll
  for (int i = 0; i < W; i++) {
    x.v[i] = value;
  }
  return x;
}

// Elements at[0] on of x, or zeros where the tensor is a structural zero.
template <int W, class T>
DEVICE Piece<W> load_or_zero(const T* x, int64_t at) {
  return x == nullptr ? filled<W>(0.f) : load<W>(x + at);
}

// x[i], or zero where the tensor is a structural zero.
template <class T>
DEVICE float or_zero(const T* x, int64_t i) {
  return x == nullptr ? 0.f : to_float(x[i]);
}

// z = body(i), element by element.
template <int W, class Body>
DEVICE Piece<W> each(Body body) {
  Piece<W> z;
#pragma unroll
  for (int i = 0; i < W; i++) {
    z.v[i] = body(i);
  }
  return z;
}

// This thread's number in a one-dimensional grid, and how many there are.
DEVICE int64_t first_element() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

DEVICE int64_t grid_elements() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

// Calls body(width, i) so that the grid's threads take the pieces of n elements among them: of PACK<T>
// elements where packed (the caller has seen to alignment), the rest element by element.
template <class T, class Body>
DEVICE void each_piece(int64_t n, bool packed, Body body) {
  int64_t done = 0;
  if (packed) {
    done = n / PACK<T> * PACK<T>;
    for (int64_t i = first_element() * PACK<T>; i < done; i += grid_elements() * PACK<T>) {
      body(Width<PACK<T>>(), i);
    }
  }
  for (int64_t i = done + first_element(); i < n; i += grid_elements()) {
    body(Width<1>(), i);
  }
}

// Calls body(width, row, column) so that a grid takes the pieces of a matrix (rows,width) among its threads: of PACK<T>
// elements where packed (the caller has seen to alignment, and to a whole number of packs in a row), else of one.
// blockIdx.x: row, blockIdx.y: part of the columns.
template <class T, class Body>
DEVICE void each_piece_of_rows(int64_t rows, int64_t width, bool packed, Body body) {
  int64_t first = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x;
  int64_t step = static_cast<int64_t>(gridDim.y) * blockDim.x;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    if (packed) {
      for (int64_t column = first * PACK<T>; column < width; column += step * PACK<T>) {
        body(Width<PACK<T>>(), row, column);
      }
    } else {
      for (int64_t column = first; column < width; column += step) {
        body(Width<1>(), row, column);
      }
    }
  }
}
