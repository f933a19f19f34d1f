#!/usr/bin/env python3
"""Writes blocks/blocks.safetensors: packed weights and the floats that they stand for.

    make_blocks.py OUT

Q8_0, Q4_0, Q4_K and Q6_K are expanded by gguf.quants (llama.cpp's own Python package). NF4 is worked from the code
table and the kernel that bitsandbytes publishes (kDequantizeBlockwise: code[q] * absmax in float32, then rounded to the
weight's format), because that package needs more than a test should. NAME.blocks are bytes, NAME.values floats.
"""
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from safetensors.torch import save_file

NF4 = np.array(
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
     -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
     0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
     0.7229568362236023, 1.0], dtype=np.float32)


def random_blocks(rng, count, size, halves):
    """Random bytes whose float16 scales, at these offsets, are finite and of every size and sign."""
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for at in halves:
        scale = (rng.standard_normal(count) * 10.0 ** rng.uniform(-8, 3, count)).astype(np.float16)
        blocks[:, at:at + 2] = scale.view(np.uint8).reshape(count, 2)
    return blocks


def nf4(blocks, dtype):
    absmax = np.ascontiguousarray(blocks[:, :4]).view(np.float32)
    pairs = blocks[:, 4:]
    q = np.stack([pairs >> 4, pairs & 15], axis=-1).reshape(len(blocks), 64)
    values = torch.from_numpy(NF4[q] * absmax)
    return values.to(dtype).to(torch.float32)


def main(out):
    rng = np.random.default_rng(13)
    tensors = {}
    for name, size, halves in [("Q8_0", 34, [0]), ("Q4_0", 18, [0]), ("Q4_K", 144, [0, 2]), ("Q6_K", 210, [208])]:
        blocks = random_blocks(rng, 24, size, halves)
        if name in ("Q8_0", "Q4_0"):
            weights = rng.standard_normal((24, 32), dtype=np.float32)
            blocks = np.concatenate([blocks, gguf.quants.quantize(weights, Q[name])])
        values = gguf.quants.dequantize(blocks, Q[name])
        tensors[name + ".blocks"] = torch.from_numpy(blocks.reshape(-1))
        tensors[name + ".values"] = torch.from_numpy(values.reshape(-1))
    blocks = rng.integers(0, 256, (24, 36), dtype=np.uint8)
    absmax = np.abs(rng.standard_normal(24) * 10.0 ** rng.uniform(-8, 3, 24)).astype(np.float32)
    blocks[:, :4] = absmax.view(np.uint8).reshape(24, 4)
    for name, dtype in [("NF4", torch.float32), ("NF4_F16", torch.float16), ("NF4_BF16", torch.bfloat16)]:
        tensors[name + ".blocks"] = torch.from_numpy(blocks.reshape(-1).copy())
        tensors[name + ".values"] = nf4(blocks, dtype).reshape(-1)
    (out / "blocks").mkdir(exist_ok=True)
    save_file(tensors, out / "blocks" / "blocks.safetensors")


main(Path(sys.argv[1]))
