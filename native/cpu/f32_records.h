// Products of floats with rows of bfloat16, for any instruction set (see f32_functions.h): the operations of Java's
// ScalarRecords in the same order.
#pragma once

#include <cstdint>
#include <cstring>

#include "f32_rows.h"

namespace {

// Rows that are taken at a time.
constexpr int64_t ROWS = 4;

// The last elements of a row of bfloat16, and zeros up to 16.
struct RestOfRow {
  char bytes[2 * LANES] = {};

  RestOfRow(const char* x, int64_t count) { std::memcpy(bytes, x, 2 * count); }
};

// sums[LANES r] = the product of row r with v.
template <class Vector>
void dots(int64_t n, const char* x, int64_t row, const char* v, float* sums) {
  using Type = typename Vector::Type;
  constexpr int64_t COUNT = Lanes<Vector>::COUNT;
  Lanes<Vector> sum[ROWS];
  auto add = [&](const char* const (&rows)[ROWS], const char* factors) __attribute__((always_inline)) {
    for (int64_t p = 0; p < COUNT; p++) {
      Type right = Vector::load(factors + Vector::BYTES * p);
      for (int64_t r = 0; r < ROWS; r++) {
        Type left = Vector::load_bf16(rows[r] + Vector::BYTES / 2 * p);
        sum[r].part[p] = Vector::multiply_add(left, right, sum[r].part[p]);
      }
    }
  };
  int64_t whole = n - n % LANES;
  for (int64_t i = 0; i < whole; i += LANES) {
    const char* at = x + 2 * i;
    const char* rows[ROWS] = {at, at + row, at + 2 * row, at + 3 * row};
    add(rows, v + 4 * i);
  }
  if (whole < n) {
    const char* at = x + 2 * whole;
    int64_t left = n - whole;
    RestOfRow rest[ROWS] = {{at, left}, {at + row, left}, {at + 2 * row, left}, {at + 3 * row, left}};
    const char* rows[ROWS] = {rest[0].bytes, rest[1].bytes, rest[2].bytes, rest[3].bytes};
    float factors[LANES] = {};
    std::memcpy(factors, v + 4 * whole, 4 * left);
    add(rows, reinterpret_cast<const char*>(factors));
  }
  for (int64_t r = 0; r < ROWS; r++) {
    sums[LANES * r] = sum[r].fold();
  }
}

// y += the sum of the rows by their weights, in their order.
template <class Vector>
void add_rows(
    int64_t n, float w0, float w1, float w2, float w3, const char* x, int64_t row, char* y) {
  using Type = typename Vector::Type;
  constexpr int64_t LENGTH = Vector::BYTES / 4;
  Type weights[ROWS] = {Vector::all(w0), Vector::all(w1), Vector::all(w2), Vector::all(w3)};
  int64_t whole = n - n % LENGTH;
#pragma GCC unroll 2
  for (int64_t i = 0; i < whole; i += LENGTH) {
    Type sum = Vector::load(y + 4 * i);
    for (int64_t r = 0; r < ROWS; r++) {
      sum = Vector::multiply_add(weights[r], Vector::load_bf16(x + r * row + 2 * i), sum);
    }
    Vector::store(y + 4 * i, sum);
  }
  if (whole < n) {
    int64_t left = n - whole;
    Type sum = Vector::load_first(left, y + 4 * whole, Vector::all(0));
    for (int64_t r = 0; r < ROWS; r++) {
      RestOfRow rest(x + r * row + 2 * whole, left);
      sum = Vector::multiply_add(weights[r], Vector::load_bf16(rest.bytes), sum);
    }
    Vector::store_first(left, y + 4 * whole, sum);
  }
}

}  // namespace
