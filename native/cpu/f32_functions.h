// The functions that Java calls (dev.lethe.backend.cpu.primitive.NativeTiles, NativeRows, NativeRecords), once for each
// instruction set: included by a file that is compiled for it and defines
//   Vector         a register: load, store, arithmetic, and the first elements of a run
//   FUNCTION(f)    the name of function f for this set
//   TILE_ROWS      rows of a tile that with two vectors of columns fit its registers
// Distances between rows are in bytes, runs are contiguous.
#include <cstdint>

#include "exports.h"
#include "f32_products.h"
#include "f32_records.h"
#include "f32_rows.h"

// C = Z + A B. Element (i,k) of A is at a + i a_row + k a_column; columns is a multiple of 16. Z may be C, or one row to
// repeat at a distance of 0.
EXPORT void FUNCTION(multiply)(
    int64_t rows, int64_t columns, int64_t depth, const char* a, int64_t a_row, int64_t a_column,
    const char* b, int64_t b_row, const char* z, int64_t z_row, char* c, int64_t c_row) {
  if (4 * columns % (2 * Vector::BYTES) == 0) {
    multiply<Vector, TILE_ROWS, 2>(
        rows, columns, depth, a, a_row, a_column, b, b_row, z, z_row, c, c_row);
  } else {
    multiply<Vector, TILE_ROWS, 1>(
        rows, columns, depth, a, a_row, a_column, b, b_row, z, z_row, c, c_row);
  }
}

EXPORT void FUNCTION(transpose)(
    int64_t rows, int64_t columns, const char* from, int64_t from_row, char* to, int64_t to_row,
    int64_t padded) {
  transpose(rows, columns, from, from_row, to, to_row, padded);
}

// y = x, where x holds bfloat16 numbers.
EXPORT void FUNCTION(widen)(int64_t n, const char* x, char* y) {
  widen(n, x, y);
}

EXPORT float FUNCTION(max)(int64_t n, const char* x) {
  return max<Vector>(n, x);
}

EXPORT float FUNCTION(dot)(int64_t n, const char* x, const char* y) {
  return dot<Vector>(n, x, y);
}

EXPORT float FUNCTION(exp_sum)(int64_t n, char* x, float scale, float shift) {
  return exp_sum<Vector>(n, x, scale, shift);
}

EXPORT void FUNCTION(weighted)(
    int64_t n, float a, const char* p, const char* x, float shift, char* y) {
  weighted<Vector>(n, a, p, x, shift, y);
}

EXPORT void FUNCTION(attention_second)(
    int64_t n, const char* p, char* ds, const char* gp, char* dp, float c, float mu, float delta,
    float d_delta) {
  attention_second<Vector>(n, p, ds, gp, dp, c, mu, delta, d_delta);
}

EXPORT void FUNCTION(dots)(int64_t n, const char* x, int64_t row, const char* v, float* sums) {
  dots<Vector>(n, x, row, v, sums);
}

EXPORT void FUNCTION(add_rows)(
    int64_t n, float w0, float w1, float w2, float w3, const char* x, int64_t row, char* y) {
  add_rows<Vector>(n, w0, w1, w2, w3, x, row, y);
}
