// Work on rows: a block takes a row, and its threads the row's pieces.
#pragma once

#include <utility>

#include "elements.cuh"
#include "reduce.cuh"

// Calls body(i) for this thread's pieces of W of a row's d elements; W divides d.
template <int W, class Body>
DEVICE void each_in_row(int d, Body body) {
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x) * W; i < d; i += static_cast<int>(blockDim.x) * W) {
    body(i);
  }
}

// As each_in_row, for long rows: calls body(i, load(i)), and loads each piece while the one before is worked on.
// Backwards, a second reading begins with what is still in the L2 cache.
template <int W, bool BACKWARDS, class Load, class Body>
DEVICE void each_ahead(int d, Load load, Body body) {
  int step = static_cast<int>(blockDim.x) * W;
  int first = static_cast<int>(threadIdx.x) * W;
  int count = (d - first + step - 1) / step;
  if (count <= 0) {
    return;
  }
  int i = BACKWARDS ? first + (count - 1) * step : first;
  int move = BACKWARDS ? -step : step;
  auto next = load(i);
#pragma unroll 1
  for (; count > 0; count--, i += move) {
    auto loaded = next;
    if (count > 1) {
      next = load(i + move);
    }
    body(i, loaded);
  }
}

// A row that is read twice, forwards by each_first and backwards by each_again. Pieces before `kept` stay in the block's
// dynamic shared memory: each is the business of the thread alone that loaded it, so that no barrier is needed. The others
// are loaded again, from the L2 cache where it has room for those of all rows under way. load(i, once) loads the piece at
// i; `once` is a type with a bool `value`: whether it is not loaded again.
template <class Load>
using Loaded = decltype(std::declval<Load>()(0, std::true_type()));

DEVICE bool is_kept(int i, int kept) { return static_cast<unsigned>(i) < static_cast<unsigned>(kept); }

template <int W, class Load, class Body>
DEVICE void each_first(int d, int kept, Load load, Body body) {
  DYNAMIC_SHARED(Loaded<Load>, pieces);
  auto first = [&](int i) { return is_kept(i, kept) ? load(i, std::true_type()) : load(i, std::false_type()); };
  each_ahead<W, false>(d, first, [&](int i, const Loaded<Load>& piece) {
    if (is_kept(i, kept)) {
      pieces[i / W] = piece;
    }
    body(i, piece);
  });
}

template <int W, class Load, class Body>
DEVICE void each_again(int d, int kept, Load load, Body body) {
  DYNAMIC_SHARED(Loaded<Load>, pieces);
  auto again = [&](int i) { return is_kept(i, kept) ? pieces[i / W] : load(i, std::true_type()); };
  each_ahead<W, true>(d, again, body);
}

// A function that gives a row's piece at i, for rows that are read more than once: a thread keeps its first piece
// in registers, and reads the others again, from the nearest cache, if there are others.
template <int W, class T>
DEVICE auto keep_row(int d, const T* row) {
  int first = static_cast<int>(threadIdx.x) * W;
  Raw<W, T> kept = {};
  if (first < d) {
    kept = load_raw<W>(row + first);
  }
  return [=](int i) { return opened(i == first ? kept : load_raw<W>(row + i)); };
}

// x + f at an address, as T holds it; a null f is zero, as is a null x.
template <class T, int W>
DEVICE Piece<W> rounded_sum(const T* x, const T* f, int64_t at) {
  Piece<W> a = load_or_zero<W>(x, at);
  Piece<W> b = load_or_zero<W>(f, at);
  return each<W>([&](int e) { return to_float(from_float<T>(a.v[e] + b.v[e])); });
}

// As keep_row, of the sum of two rows.
template <class T, int W>
DEVICE auto keep_sum(int d, const T* x, const T* f, int64_t row) {
  int first = static_cast<int>(threadIdx.x) * W;
  Piece<W> kept = first < d ? rounded_sum<T, W>(x, f, row + first) : filled<W>(0.f);
  return [=](int i) { return i == first ? kept : rounded_sum<T, W>(x, f, row + i); };
}

// The sum of the elements of body(i), over this thread's pieces and then over the block.
template <int W, class Body>
DEVICE float row_sum(int d, Body body) {
  float sum = 0.f;
  each_in_row<W>(d, [&](int i) {
    Piece<W> terms = body(i);
#pragma unroll
    for (int e = 0; e < W; e++) {
      sum += terms.v[e];
    }
  });
  return block_sum(sum);
}

// As row_sum, of the two pieces that body(i, a, b) puts into a and b.
template <int W, class Body>
DEVICE float2 row_sums(int d, Body body) {
  float2 sums = {0.f, 0.f};
  each_in_row<W>(d, [&](int i) {
    Piece<W> a;
    Piece<W> b;
    body(i, a, b);
#pragma unroll
    for (int e = 0; e < W; e++) {
      sums.x += a.v[e];
      sums.y += b.v[e];
    }
  });
  return {block_sum(sums.x), block_sum(sums.y)};
}
