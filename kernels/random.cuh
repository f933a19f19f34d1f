// Random numbers as a pure function of seed and index: dev.lethe.tensor.SplitMix64.
#pragma once

#include "device.cuh"

// The index-th 64 random bits of a seed.
DEVICE uint64_t split_mix_bits(uint64_t seed, uint64_t index) {
  uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// The 53 of them that make a number in [0, 1).
DEVICE int64_t uniform_bits(uint64_t seed, uint64_t index) {
  return static_cast<int64_t>(split_mix_bits(seed, index) >> 11);
}
