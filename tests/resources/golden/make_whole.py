#!/usr/bin/env python3
"""Writes whole.json: losses, training steps and generated tokens of models with all their layers and their vocabulary.

    make_whole.py OUT [NAME]

The shapes and the numbers are those of make_sizes.py, with the layers and the vocabulary that the real models have, so a
test makes the same weights. transformers and PEFT in float32, two rows together: a loss for each row, then two steps of
AdamW (rate 1e-3, gradients clipped to norm 1), then eight tokens by the largest logit after the first half of row 0, with
the adapter as it was at the start. Memory: 3 GB for qwen2.5-0.5b, 8 GB for llama-3.2-1b.
"""
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from make_sizes import ADAPTER_SEED, RANK, ROW_SEED, SCALE, SHAPES, TARGETS, bits, numbers

# Name: shape, layers and vocabulary; two layers for every build, all of them for the profile real-sizes.
SIZES = {"qwen2.5-0.5b-2": ("qwen2.5-0.5b", 2, 2048), "llama-3.2-1b-2": ("llama-3.2-1b", 2, 2048),
         "qwen2.5-0.5b": ("qwen2.5-0.5b", 24, 151936), "llama-3.2-1b": ("llama-3.2-1b", 16, 128256)}
ROWS, LENGTH, STEPS, RATE, CLIP, NEW_TOKENS = 2, 32, 2, 1e-3, 1.0, 8
PIECE = 1 << 22


def weight(seed, shape, one):
    """As make_sizes.numbers, a piece at a time."""
    flat = torch.empty(int(np.prod(shape)), dtype=torch.bfloat16)
    for first in range(0, len(flat), PIECE):
        count = min(PIECE, len(flat) - first)
        with np.errstate(over="ignore"):
            # SplitMix64 counts: number i of a seed is number 0 of the seed i steps on
            z = bits(np.uint64(seed) + np.uint64(first) * np.uint64(0x9E3779B97F4A7C15), count)
        u = (z >> np.uint64(11)).astype(np.float64) * 2.0 ** -53
        flat[first:first + count] = one + torch.from_numpy(SCALE * (u - 0.5)).float()
    return flat.reshape(shape)


def write_model(config, folder):
    (folder / "config.json").write_text(json.dumps(config))
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    shapes = {n: tuple(p.shape) for n, p in empty.named_parameters()}
    save_file({name: weight(seed, shapes[name], 1.0 if "norm" in name else 0.0)
               for seed, name in enumerate(sorted(shapes))}, folder / "model.safetensors", metadata={"format": "pt"})


def adapted(base):
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
                           LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, r=RANK, lora_alpha=2 * RANK,
                                      target_modules=TARGETS)).eval()
    params = [p for _, p in sorted((n, p) for n, p in model.named_parameters() if p.requires_grad)]
    with torch.no_grad():
        for i, p in enumerate(params):
            p.copy_(numbers(ADAPTER_SEED + i, tuple(p.shape), SCALE))
    return model, params


def losses(model, ids):
    logits = model(input_ids=ids, use_cache=False).logits[:, 2:-1]  # labels are -100 for the first three tokens
    each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 3:], reduction="none")
    return each.mean(1)


def golden(config):
    with tempfile.TemporaryDirectory() as base:
        write_model(config, Path(base))
        model, params = adapted(base)
    ids = torch.tensor([[int(b % config["vocab_size"]) for b in bits(ROW_SEED + i, LENGTH).tolist()]
                        for i in range(ROWS)])
    with torch.no_grad():
        found = {"config": config, "losses": losses(model, ids).tolist()}
        prompt = ids[:1, :LENGTH // 2]
        written = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                                 max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, pad_token_id=0)
        found["generated"] = written[0, prompt.shape[1]:].tolist()
    optimizer = torch.optim.AdamW(params, lr=RATE, weight_decay=0.0)
    found["steps"] = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = losses(model, ids).mean()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(params, CLIP)
        optimizer.step()
        found["steps"].append({"loss": loss.item(), "gradient_norm": norm.item()})
    return found


if __name__ == "__main__":
    chosen = sys.argv[2:] or list(SIZES)
    out = Path(sys.argv[1])
    for name in chosen:
        whole = json.loads(out.read_text()) if out.exists() else {}
        shape, layers, vocabulary = SIZES[name]
        whole[name] = golden({**SHAPES[shape], "num_hidden_layers": layers, "vocab_size": vocabulary})
        out.write_text(json.dumps(whole, indent=1) + "\n")
