// IEEE 754 binary16, as its bits: a storage format only.
#pragma once

#include "device.cuh"

struct HalfBits {
  uint16_t bits;
};

DEVICE float to_float(HalfBits x) {
  uint32_t magnitude = static_cast<uint32_t>(x.bits & 0x7fff) << 13;
  uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16;
  if (magnitude >= 0x7c00u << 13) {  // infinite or no number
    return __uint_as_float(sign | magnitude | 0x7f800000u);
  }
  float scaled = __uint_as_float(magnitude) * __uint_as_float((127u + 112u) << 23);  // 2^112, exact
  return __uint_as_float(__float_as_uint(scaled) | sign);
}

// The nearest binary16 number, ties to even, of one that is no larger than the largest.
DEVICE float rounded_to_half(float x) {
  uint32_t bits = __float_as_uint(x);
  uint32_t sign = bits & 0x80000000u;
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude < (127u - 14u) << 23) {  // a multiple of 2^-24, the distance of floats from 0.5 on
    float shifted = __uint_as_float(magnitude) + 0.5f;
    return __uint_as_float(__float_as_uint(shifted - 0.5f) | sign);
  }
  return __uint_as_float(((magnitude + 0xfffu + (magnitude >> 13 & 1)) & ~0x1fffu) | sign);
}
