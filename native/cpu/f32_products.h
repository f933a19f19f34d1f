// C = Z + A B in tiles that stay in registers, for any instruction set (see f32_functions.h). Every element is summed
// over ascending depths with one fused multiply-add each, as Java's kernels do it, so the numbers are the same to the bit.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace {

inline float number(const char* at) {
  float value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// C = Z + A B for R rows and V vectors of columns.
template <class Vector, int R, int V>
void tile(
    int64_t depth, const char* a, int64_t a_row, int64_t a_column, const char* b, int64_t b_row,
    const char* z, int64_t z_row, char* c, int64_t c_row) {
  typename Vector::Type sum[R][V];
#pragma GCC unroll 12
  for (int i = 0; i < R; i++) {
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) {
      sum[i][v] = Vector::load(z + i * z_row + Vector::BYTES * v);
    }
  }
  // Two pointers reach twelve rows with so few distances that all stay in registers.
  constexpr int HALF = (R + 1) / 2;
  const char* lower = a + HALF * a_row;
  asm("" : "+r"(lower));
  for (int64_t k = 0; k < depth; k++) {
    typename Vector::Type right[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) {
      right[v] = Vector::load(b + Vector::BYTES * v);
    }
#pragma GCC unroll 12
    for (int i = 0; i < R; i++) {
      const char* at = i < HALF ? a + i * a_row : lower + (i - HALF) * a_row;
      typename Vector::Type left = Vector::all(number(at));
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) {
        sum[i][v] = Vector::multiply_add(left, right[v], sum[i][v]);
      }
    }
    a += a_column;
    lower += a_column;
    b += b_row;
  }
#pragma GCC unroll 12
  for (int i = 0; i < R; i++) {
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) {
      Vector::store(c + i * c_row + Vector::BYTES * v, sum[i][v]);
    }
  }
}

using Tile = void (*)(
    int64_t, const char*, int64_t, int64_t, const char*, int64_t, const char*, int64_t, char*, int64_t);

// The tiles of 1 to ROWS rows.
template <class Vector, int ROWS, int V>
struct Tiles : Tiles<Vector, ROWS - 1, V> {
  static Tile of(int64_t rows) {
    return rows >= ROWS ? tile<Vector, ROWS, V> : Tiles<Vector, ROWS - 1, V>::of(rows);
  }
};

template <class Vector, int V>
struct Tiles<Vector, 1, V> {
  static Tile of(int64_t) { return tile<Vector, 1, V>; }
};

// Any rows, and columns that are a multiple of V vectors.
template <class Vector, int ROWS, int V>
void multiply(
    int64_t rows, int64_t columns, int64_t depth, const char* a, int64_t a_row, int64_t a_column,
    const char* b, int64_t b_row, const char* z, int64_t z_row, char* c, int64_t c_row) {
  for (int64_t i = 0; i < rows; i += ROWS) {
    Tile tile = Tiles<Vector, ROWS, V>::of(rows - i);
    for (int64_t j = 0; j < 4 * columns; j += Vector::BYTES * V) {
      tile(
          depth, a + i * a_row, a_row, a_column, b + j, b_row, z + i * z_row + j, z_row,
          c + i * c_row + j, c_row);
    }
  }
}

// Writes 4 rows by 4 columns transposed.
inline void transpose4(const char* from, int64_t from_row, char* to, int64_t to_row) {
  __m128 row[4];
  for (int i = 0; i < 4; i++) {
    row[i] = _mm_loadu_ps(reinterpret_cast<const float*>(from + i * from_row));
  }
  _MM_TRANSPOSE4_PS(row[0], row[1], row[2], row[3]);
  for (int i = 0; i < 4; i++) {
    _mm_storeu_ps(reinterpret_cast<float*>(to + i * to_row), row[i]);
  }
}

// Writes (rows,columns) transposed; behind its rows are zeros, up to padded elements.
inline void transpose(
    int64_t rows, int64_t columns, const char* from, int64_t from_row, char* to, int64_t to_row,
    int64_t padded) {
  int64_t whole_rows = rows - rows % 4;
  int64_t whole_columns = columns - columns % 4;
  for (int64_t i = 0; i < whole_rows; i += 4) {
    for (int64_t j = 0; j < whole_columns; j += 4) {
      transpose4(from + i * from_row + 4 * j, from_row, to + j * to_row + 4 * i, to_row);
    }
  }
  for (int64_t j = 0; j < columns; j++) {
    char* target = to + j * to_row;
    for (int64_t i = j < whole_columns ? whole_rows : 0; i < rows; i++) {
      std::memcpy(target + 4 * i, from + i * from_row + 4 * j, 4);
    }
    std::memset(target + 4 * rows, 0, 4 * (padded - rows));
  }
}

}  // namespace
