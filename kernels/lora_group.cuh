// The LoRA layers of one input as kernels are told of them.
#pragma once

#include "device.cuh"

// The layers of a group, side by side: layer i has `outs[i]` outputs and rank `ranks[i]`, 0 without an adapter.
struct LoraGroup {
  static constexpr int MOST = 3;
  int64_t outs[MOST];
  int64_t ranks[MOST];
  int64_t a_offsets[MOST];
  int64_t b_offsets[MOST];

  // The layer that place `at` belongs to where layer i has sizes[i] places; `at` becomes the place in it.
  static DEVICE_MEMBER int find(const int64_t (&sizes)[MOST], int64_t& at) {
    int layer = 0;
#pragma unroll
    for (int i = 0; i < MOST - 1; i++) {
      if (layer == i && at >= sizes[i]) {
        at -= sizes[i];
        layer++;
      }
    }
    return layer;
  }

  // values[layer], without an array in memory.
  static DEVICE_MEMBER int64_t of(const int64_t (&values)[MOST], int layer) {
    return layer == 0 ? values[0] : layer == 1 ? values[1] : values[2];
  }

  static DEVICE_MEMBER int64_t sum(const int64_t (&sizes)[MOST]) { return sizes[0] + sizes[1] + sizes[2]; }
};

// Outputs of a layer that a block of lora_adjoint has: backend.cuda's CudaLoraAdjoint.
constexpr int LORA_COLUMNS = 512;

// One of the column tiles of a group, in which layers without an adapter have none.
struct LoraTile {
  int64_t first_out;   // of the layer
  int64_t first_rank;  // of the layer
  int64_t outs;        // of the layer
  int64_t rank;        // of the layer
  int64_t column;      // where the tile begins in the layer

  DEVICE_MEMBER LoraTile(const LoraGroup& group, int64_t index) : first_out(0), first_rank(0) {
    int layer = 0;
#pragma unroll
    for (int i = 0; i < LoraGroup::MOST - 1; i++) {
      if (layer == i && index >= count(group, i)) {
        index -= count(group, i);
        first_out += group.outs[i];
        first_rank += group.ranks[i];
        layer++;
      }
    }
    outs = LoraGroup::of(group.outs, layer);
    rank = LoraGroup::of(group.ranks, layer);
    column = index * LORA_COLUMNS;
  }

  static DEVICE_MEMBER int64_t count(const LoraGroup& group, int layer) {
    return LoraGroup::of(group.ranks, layer) == 0
               ? 0
               : (LoraGroup::of(group.outs, layer) + LORA_COLUMNS - 1) / LORA_COLUMNS;
  }

  // Tiles of the layers before.
  static DEVICE_MEMBER int64_t before(const LoraGroup& group, int layer) {
    return (layer > 0 ? count(group, 0) : 0) + (layer > 1 ? count(group, 1) : 0);
  }
};

// The sizes and offsets of a group as a kernel's parameters.
#define GROUP_PARAMETERS                                                                                             \
  int64_t out0, int64_t rank0, int64_t a0, int64_t b0, int64_t out1, int64_t rank1, int64_t a1, int64_t b1,          \
      int64_t out2, int64_t rank2, int64_t a2, int64_t b2
#define GROUP LoraGroup{{out0, out1, out2}, {rank0, rank1, rank2}, {a0, a1, a2}, {b0, b1, b2}}
