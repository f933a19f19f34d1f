// What the two stand-ins for NVIDIA's libraries share: status codes, settings by tests, and the product itself,
// column-major, in plain loops over memory of the host.
#ifndef LETHE_FAKE_CUBLAS_PRODUCTS_H
#define LETHE_FAKE_CUBLAS_PRODUCTS_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <sstream>
#include <string>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace fake {

enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum Type { R_32F = 0, R_16BF = 14 };
enum Compute { COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69 };

inline std::map<std::string, int64_t> settings;
inline std::map<std::string, int64_t> counts;

// Settings that a test made by fake_cublas_configure("create=1 version=130101"); all others are 0.
inline int64_t setting(const char* name) { return settings[name]; }

inline void configure(const char* text) {
  settings.clear();
  counts.clear();
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    size_t equals = word.find('=');
    settings[word.substr(0, equals)] = std::atoll(word.c_str() + equals + 1);
  }
}

inline int64_t element_bytes(int type) { return type == R_16BF ? 2 : 4; }

inline float from_bf16(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

// Drops the last bits of the mantissa, rounding to even.
inline float rounded(float value, int bits_dropped) {
  if (!std::isfinite(value)) return value;
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  uint32_t half = (1u << (bits_dropped - 1)) - 1 + ((bits >> bits_dropped) & 1);
  bits = (bits + half) & ~((1u << bits_dropped) - 1);
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

inline float to_bf16(float value) { return rounded(value, 16); }

inline float load(const void* base, int type, int64_t index) {
  return type == R_16BF ? from_bf16(static_cast<const uint16_t*>(base)[index])
                        : static_cast<const float*>(base)[index];
}

inline void store(void* base, int type, int64_t index, float value) {
  if (type == R_32F) {
    static_cast<float*>(base)[index] = value;
    return;
  }
  value = to_bf16(value);
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  static_cast<uint16_t*>(base)[index] = static_cast<uint16_t>(bits >> 16);
}

struct Matrix {
  int type = R_32F;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t leading = 0;
  int64_t batch = 1;
  int64_t stride = 0;
  bool transposed = false;

  int64_t height() const { return transposed ? columns : rows; }
  int64_t width() const { return transposed ? rows : columns; }

  float at(const void* base, int64_t entry, int64_t row, int64_t column) const {
    int64_t place = transposed ? column + row * leading : row + column * leading;
    return load(base, type, entry * stride + place);
  }
};

// How a sum may be taken. Every order gives other last bits.
struct Manner {
  int order = 0;              // 0 forwards, 1 backwards, 2 odd terms after even ones
  bool tf32 = false;          // float32 inputs lose 13 bits
  bool narrow_sums = false;   // partial sums are rounded to the type of the result
  bool wrong = false;
};

inline bool fits(const Matrix& a, const Matrix& b, const Matrix& c) {
  bool types = a.type == b.type && (a.type == R_32F || a.type == R_16BF) && (c.type == R_32F || c.type == a.type);
  bool sizes = a.height() == c.rows && b.width() == c.columns && a.width() == b.height();
  bool strides = a.leading >= std::max<int64_t>(1, a.rows) && b.leading >= std::max<int64_t>(1, b.rows) &&
                 c.leading >= std::max<int64_t>(1, c.rows);
  bool batches = a.batch == c.batch && b.batch == c.batch && c.batch >= 1;
  return types && sizes && strides && batches && !c.transposed;
}

// C = alpha a b + beta C for each entry of the batch; C is not read where beta is 0.
inline void multiply(const Matrix& a, const void* pa, const Matrix& b, const void* pb, const Matrix& c, void* pc,
                     float alpha, float beta, const Manner& manner) {
  int64_t depth = a.width();
  for (int64_t e = 0; e < c.batch; e++) {
    for (int64_t j = 0; j < c.columns; j++) {
      for (int64_t i = 0; i < c.rows; i++) {
        float sum = 0;
        for (int64_t t = 0; t < depth; t++) {
          int64_t even = (depth + 1) / 2;
          int64_t d = manner.order == 0 ? t : manner.order == 1 ? depth - 1 - t : t < even ? 2 * t : 2 * (t - even) + 1;
          float x = a.at(pa, e, i, d);
          float y = b.at(pb, e, d, j);
          sum += manner.tf32 ? rounded(x, 13) * rounded(y, 13) : x * y;
          if (manner.narrow_sums && c.type == R_16BF && t % 8 == 7) sum = to_bf16(sum);
        }
        if (manner.wrong) sum += 1;
        int64_t place = e * c.stride + i + j * c.leading;
        float value = alpha * sum;
        if (beta != 0) value += beta * load(pc, c.type, place);
        store(pc, c.type, place, value);
      }
    }
  }
}

inline bool aligned(const void* pointer, int64_t bytes) { return reinterpret_cast<uintptr_t>(pointer) % bytes == 0; }

// Whether a test wants this product wrong: all of them, or those of a kind.
inline bool is_wrong(const Matrix& a, const void* pa, const Matrix& b, const void* pb, const Matrix& c, float beta) {
  bool shared = c.batch > 1 && (a.stride == 0 || b.stride == 0);
  bool shifted = !aligned(pa, 16) || !aligned(pb, 16);
  return setting("wrong") != 0 || (setting("wrong_shared") != 0 && shared) || (setting("wrong_added") != 0 && beta != 0) ||
         (setting("wrong_narrow") != 0 && c.type == R_16BF) || (setting("wrong_shifted") != 0 && shifted) ||
         (setting("wrong_shallow") != 0 && a.width() == 16);
}

}  // namespace fake

EXPORT void fake_cublas_configure(const char* text) { fake::configure(text); }
EXPORT int64_t fake_cublas_count(const char* name) { return fake::counts[name]; }

#endif
