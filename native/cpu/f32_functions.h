// The functions that Java calls (dev.lethe.backend.cpu.primitive.NativeTiles, NativeRows, NativeGates and
// NativeRecords), once for each instruction set: included by a file that is compiled for it and defines
//   Vector         a register: load, store, arithmetic, and the first elements of a run
//   FUNCTION(f)    the name of function f for this set
//   TILE_ROWS      rows of a tile that with two vectors of columns fit its registers
// Distances between rows are in bytes, runs are contiguous.
#include <cstdint>

#include "exports.h"
#include "f32_elements.h"
#include "f32_gates.h"
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

EXPORT float FUNCTION(dot3)(int64_t n, const char* x, const char* y, const char* z) {
  return dot3<Vector>(n, x, y, z);
}

EXPORT double FUNCTION(dot_double)(int64_t n, const char* x, const char* y) {
  return dot_double(n, x, y);
}

EXPORT int32_t FUNCTION(all_finite)(int64_t n, const char* x) {
  return all_finite<Vector>(n, x);
}

EXPORT float FUNCTION(exp_sum)(int64_t n, char* x, float scale, float shift) {
  return exp_sum<Vector>(n, x, scale, shift);
}

EXPORT void FUNCTION(fill)(int64_t n, char* x, float value) {
  fill<Vector>(n, x, value);
}

EXPORT void FUNCTION(add)(int64_t n, const char* x, const char* f, char* y) {
  add<Vector>(n, x, f, y);
}

EXPORT void FUNCTION(axpby)(int64_t n, float a, const char* x, float b, char* y) {
  axpby<Vector>(n, a, x, b, y);
}

EXPORT void FUNCTION(scale)(int64_t n, float a, const char* x, char* y) {
  scale<Vector>(n, a, x, y);
}

EXPORT void FUNCTION(changed)(int64_t n, float a, const char* x, const char* d, char* y) {
  changed<Vector>(n, a, x, d, y);
}

EXPORT void FUNCTION(norm_combine)(
    int64_t n, const char* base, const char* w, float a1, const char* g1, float a2, const char* g2,
    float c1, const char* s1, float c2, const char* s2, char* y) {
  norm_combine<Vector>(n, base, w, a1, g1, a2, g2, c1, s1, c2, s2, y);
}

EXPORT void FUNCTION(rotate)(
    int64_t pairs, char* x, const char* cosines, const char* sines, float sign) {
  rotate<Vector>(pairs, x, cosines, sines, sign);
}

EXPORT void FUNCTION(adam_w)(
    int64_t n, char* theta, const char* g, char* m, char* v, float decay, float gain1, float beta2,
    float gain2, float size, float root_gain, float epsilon) {
  adam_w<Vector>(n, theta, g, m, v, decay, gain1, beta2, gain2, size, root_gain, epsilon);
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

EXPORT void FUNCTION(silu)(int64_t n, int64_t order, const char* a, char* f, int64_t apart) {
  silu<Vector>(n, order, a, f, apart);
}

EXPORT void FUNCTION(gelu)(int64_t n, int64_t order, const char* a, char* f, int64_t apart) {
  gelu<Vector>(n, order, a, f, apart);
}

EXPORT void FUNCTION(gelu_tanh)(int64_t n, int64_t order, const char* a, char* f, int64_t apart) {
  gelu_tanh<Vector>(n, order, a, f, apart);
}

EXPORT void FUNCTION(gate)(int64_t n, const char* f, const char* b, char* h) {
  gate<Vector>(n, f, b, h);
}

EXPORT void FUNCTION(gate_tangent)(
    int64_t n, const char* f, int64_t apart, const char* b, const char* da, const char* db,
    char* dh) {
  gate_tangent<Vector>(n, f, apart, b, da, db, dh);
}

EXPORT void FUNCTION(gate_backward)(
    int64_t n, const char* f, int64_t apart, const char* b, const char* gh, char* ga, char* gb) {
  gate_backward<Vector>(n, f, apart, b, gh, ga, gb);
}

EXPORT void FUNCTION(gate_backward_tangent)(
    int64_t n, const char* f, int64_t apart, const char* b, const char* gh, const char* da,
    const char* db, const char* dgh, char* dga, char* dgb) {
  gate_backward_tangent<Vector>(n, f, apart, b, gh, da, db, dgh, dga, dgb);
}
