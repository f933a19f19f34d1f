// y (rows,width) = rows of a frozen weight that is packed in blocks: rows ids[i], or row i where ids is null. One
// thread an element, in a grid-stride loop. Formulas and layouts are those of dev.lethe.tensor.BlockFormat, each
// operation rounded to float32.
#include "elements.cuh"
#include "half.cuh"

DEVICE float half_at(const uint8_t* at) {
  return to_float(HalfBits{static_cast<uint16_t>(at[0] | at[1] << 8)});
}

DEVICE float float_at(const uint8_t* at) {
  return __uint_as_float(static_cast<uint32_t>(at[0]) | static_cast<uint32_t>(at[1]) << 8 |
                         static_cast<uint32_t>(at[2]) << 16 | static_cast<uint32_t>(at[3]) << 24);
}

DEVICE float signed_at(const uint8_t* at) { return static_cast<float>(static_cast<int8_t>(*at)); }

// f16 d; i8 q[32]
struct Q8 {
  static constexpr int ELEMENTS = 32;
  static constexpr int BYTES = 34;
  DEVICE_MEMBER static float number(const uint8_t* block, int i) {
    return rounded_product(signed_at(block + 2 + i), half_at(block));
  }
};

// f16 d; u4 q[32], numbers i and i + 16 in a byte
struct Q4 {
  static constexpr int ELEMENTS = 32;
  static constexpr int BYTES = 18;
  DEVICE_MEMBER static float number(const uint8_t* block, int i) {
    int q = block[2 + i % 16] >> (i / 16 * 4) & 15;
    return rounded_product(half_at(block), static_cast<float>(q - 8));
  }
};

// f16 d, dmin; u8 scales[12]; u4 q[256], numbers of two neighbouring runs of 32 in a byte
struct Q4K {
  static constexpr int ELEMENTS = 256;
  static constexpr int BYTES = 144;
  DEVICE_MEMBER static float number(const uint8_t* block, int i) {
    int run = i / 32;
    const uint8_t* scales = block + 4;
    int scale = scales[run] & 63;
    int min = scales[run + 4] & 63;
    if (run >= 4) {
      scale = (scales[run + 4] & 15) | (scales[run - 4] >> 2 & 48);
      min = scales[run + 4] >> 4 | (scales[run] >> 2 & 48);
    }
    int q = block[16 + run / 2 * 32 + i % 32] >> (run % 2 * 4) & 15;
    float d = rounded_product(half_at(block), static_cast<float>(scale));
    float below = rounded_product(half_at(block + 2), static_cast<float>(min));
    return rounded_product(d, static_cast<float>(q)) - below;
  }
};

// u4 low[256]; u2 high[256]; i8 scales[16]; f16 d
struct Q6K {
  static constexpr int ELEMENTS = 256;
  static constexpr int BYTES = 210;
  DEVICE_MEMBER static float number(const uint8_t* block, int i) {
    int run = i / 32;
    int low = block[run / 4 * 64 + run % 2 * 32 + i % 32] >> (run % 4 / 2 * 4) & 15;
    int high = block[128 + run / 4 * 32 + i % 32] >> (run % 4 * 2) & 3;
    float d = rounded_product(half_at(block + 208), signed_at(block + 192 + i / 16));
    return rounded_product(d, static_cast<float>((low | high << 4) - 32));
  }
};

// Numbers of NF4's code; a function, because tables in constant memory are not for threads that differ.
DEVICE float normal_float(int q) {
  switch (q) {
    case 0: return -1.0f;
    case 1: return -0.6961928009986877f;
    case 2: return -0.5250730514526367f;
    case 3: return -0.39491748809814453f;
    case 4: return -0.28444138169288635f;
    case 5: return -0.18477343022823334f;
    case 6: return -0.09105003625154495f;
    case 7: return 0.0f;
    case 8: return 0.07958029955625534f;
    case 9: return 0.16093020141124725f;
    case 10: return 0.24611230194568634f;
    case 11: return 0.33791524171829224f;
    case 12: return 0.44070982933044434f;
    case 13: return 0.5626170039176941f;
    case 14: return 0.7229568362236023f;
    default: return 1.0f;
  }
}

// f32 absmax; u4 q[64], two neighbouring numbers in a byte, the first in its upper half
struct Nf4 {
  static constexpr int ELEMENTS = 64;
  static constexpr int BYTES = 36;
  DEVICE_MEMBER static float number(const uint8_t* block, int i) {
    int q = block[4 + i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
    return rounded_product(normal_float(q), float_at(block));
  }
};

struct Nf4Half : Nf4 {
  DEVICE_MEMBER static float number(const uint8_t* block, int i) { return rounded_to_half(Nf4::number(block, i)); }
};

struct Nf4Bf16 : Nf4 {
  DEVICE_MEMBER static float number(const uint8_t* block, int i) {
    return to_float(round_bf16(Nf4::number(block, i)));
  }
};

template <class Format, class T>
DEVICE void expand(const uint8_t* blocks, const int32_t* ids, T* y, int64_t rows, int64_t width, int64_t vocabulary) {
  int64_t row_bytes = width / Format::ELEMENTS * Format::BYTES;
  for (int64_t i = first_element(); i < rows * width; i += grid_elements()) {
    int64_t row = i / width;
    int64_t column = i % width;
    int64_t from = ids == nullptr ? row : ids[row];
    if (from < 0 || from >= vocabulary) {
      y[i] = from_float<T>(not_a_number());
      continue;
    }
    const uint8_t* block = blocks + from * row_bytes + column / Format::ELEMENTS * Format::BYTES;
    y[i] = from_float<T>(Format::number(block, static_cast<int>(column % Format::ELEMENTS)));
  }
}

#define EXPAND(NAME, FORMAT)                                                                              \
  EXPORT_KERNEL(NAME##_f32, (256), float,                                                                 \
                (const uint8_t* blocks, const int32_t* ids, T* y, int64_t rows, int64_t width,            \
                 int64_t vocabulary),                                                                     \
                ::expand<FORMAT>(blocks, ids, y, rows, width, vocabulary))                                \
  EXPORT_KERNEL(NAME##_bf16, (256), bf16,                                                                 \
                (const uint8_t* blocks, const int32_t* ids, T* y, int64_t rows, int64_t width,            \
                 int64_t vocabulary),                                                                     \
                ::expand<FORMAT>(blocks, ids, y, rows, width, vocabulary))

EXPAND(expand_q8_0, Q8)
EXPAND(expand_q4_0, Q4)
EXPAND(expand_q4_k, Q4K)
EXPAND(expand_q6_k, Q6K)
EXPAND(expand_nf4, Nf4)
EXPAND(expand_nf4_f16, Nf4Half)
EXPAND(expand_nf4_bf16, Nf4Bf16)
