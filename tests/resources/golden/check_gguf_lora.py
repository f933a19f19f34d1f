#!/usr/bin/env python3
"""Reads an adapter that `lethe export --gguf-lora` wrote with llama.cpp's own Python package and compares it with PEFT.

    check_gguf_lora.py LORA.gguf MODEL ADAPTER

MODEL is the base model's folder. Each pair's s B A, with llama.cpp's scale adapter.lora.alpha / r and its order of rows
undone for queries and keys of Llama, must be the one that PEFT computes; the largest difference is printed.
"""
import sys

import gguf
import numpy as np
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

FOLDER = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
          "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
          "ffn_down": "mlp.down_proj"}


def main():
    lora, base, adapter = sys.argv[1:]
    reader = gguf.GGUFReader(lora)
    field = lambda name: reader.get_field(name).contents()
    assert field("general.type") == "adapter" and field("adapter.type") == "lora", "this is no LoRA adapter"
    tensors = {t.name: t.data for t in reader.tensors}
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter)
    config, modules = model.config, dict(model.named_modules())
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    largest, names = 0.0, {name.rsplit(".lora_", 1)[0] for name in tensors}
    for name in sorted(names):
        a, b = tensors[name + ".lora_a"].astype(np.float64), tensors[name + ".lora_b"].astype(np.float64)
        got = field("adapter.lora.alpha") / a.shape[0] * b @ a
        _, layer, kind, _ = name.split(".")
        if field("general.architecture") == "llama" and kind in heads:
            n = heads[kind]
            got = got.reshape(n, got.shape[0] // n // 2, 2, -1).swapaxes(1, 2).reshape(got.shape)
        module = modules[f"base_model.model.model.layers.{layer}.{FOLDER[kind]}"]
        wanted = module.get_delta_weight("default").double().detach().numpy()
        largest = max(largest, np.abs(got - wanted).max() / np.abs(wanted).max())
    pairs = sum(hasattr(m, "lora_A") for m in modules.values())
    assert pairs == len(names), f"{len(names)} pairs in the file, {pairs} in PEFT"
    print(f"{len(names)} pairs, largest relative difference {largest:.1e}")
    assert largest < 1e-6


if __name__ == "__main__":
    main()
