#!/usr/bin/env python3
"""Writes sizes.json: losses, gradients and Hessian products of one layer at the full width of known models.

    make_sizes.py OUT [NAME]

The weights are no file: number i of the tensor with seed s is scale * (u(s, i) - 1/2), u uniform by SplitMix64, rounded
to bfloat16; so a test makes the same ones, in shards. The adapter's are float32. PyTorch, transformers
and PEFT, float64 throughout (true_float64.py).
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

from derivatives import Problem, mean, norm
from true_float64 import true_float64

SHAPES = {
    "qwen2.5-0.5b": {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
        "num_hidden_layers": 1, "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 512,
        "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": True,
        "hidden_act": "silu", "use_sliding_window": False, "torch_dtype": "bfloat16"},
    "qwen3-0.6b": {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072,
        "num_hidden_layers": 1, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
        "vocab_size": 512, "max_position_embeddings": 40960, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
        "tie_word_embeddings": True, "hidden_act": "silu", "attention_bias": False, "use_sliding_window": False,
        "torch_dtype": "bfloat16"},
    "llama-3.2-1b": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192,
        "num_hidden_layers": 1, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64,
        "vocab_size": 512, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                         "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "tie_word_embeddings": True, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
        "torch_dtype": "bfloat16"},
}
SCALE, ROWS, LENGTH, RANK, ENTRIES = 0.07, 2, 12, 8, 4
ADAPTER_SEED, VECTOR_SEED, ROW_SEED = 1000, 2000, 3000
TARGETS = ["q_proj", "v_proj", "down_proj"]


def bits(seed, count):
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def numbers(seed, shape, scale):
    u = (bits(seed, int(np.prod(shape))) >> np.uint64(11)).astype(np.float64) * 2.0 ** -53
    return torch.from_numpy(scale * (u - 0.5)).reshape(shape).float()


def write_model(config, folder):
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {n: p.shape for n, p in AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
              .named_parameters()}
    tensors = {}
    for seed, name in enumerate(sorted(shapes)):
        one = 1.0 if "norm" in name else 0.0
        tensors[name] = (one + numbers(seed, tuple(shapes[name]), SCALE)).to(torch.bfloat16)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def write_adapter(base, folder):
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
                           LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, r=RANK, lora_alpha=2 * RANK,
                                      target_modules=TARGETS))
    named = sorted((n, p) for n, p in model.named_parameters() if p.requires_grad)
    with torch.no_grad():
        for i, (_, p) in enumerate(named):
            p.copy_(numbers(ADAPTER_SEED + i, tuple(p.shape), SCALE))
    model.save_pretrained(folder)


def summary(names, tensors):
    """Each tensor's norm, and some of its numbers."""
    found = {}
    for name, tensor in zip(names, tensors):
        flat = tensor.detach().reshape(-1)
        places = [int(b % len(flat)) for b in bits(len(flat), ENTRIES).tolist()]
        found[name] = {"norm": norm([flat]), "places": places, "numbers": [flat[p].item() for p in places]}
    return found


def golden(config):
    with tempfile.TemporaryDirectory() as temporary:
        base, adapter = Path(temporary) / "base", Path(temporary) / "adapter"
        base.mkdir()
        write_model(config, base)
        write_adapter(base, adapter)
        rows = []
        for i in range(ROWS):
            ids = [int(b % config["vocab_size"]) for b in bits(ROW_SEED + i, LENGTH).tolist()]
            rows.append({"input_ids": ids, "labels": [-100] * 3 + ids[3:]})
        with true_float64():
            problem = Problem(base, adapter, rows, torch.float64)
            v = [numbers(VECTOR_SEED + i, tuple(p.shape), 1.0).double() for i, p in enumerate(problem.params)]
            return {"config": config, "losses": problem.losses(),
                    "gradient": summary(problem.names, mean(problem.per_sample())),
                    "hvp": summary(problem.names, problem.hvp(v))}


if __name__ == "__main__":
    chosen = sys.argv[2:] or list(SHAPES)
    out = Path(sys.argv[1])
    found = json.loads(out.read_text()) if out.exists() else {}
    found.update({name: golden(SHAPES[name]) for name in chosen})
    out.write_text(json.dumps(found, indent=1) + "\n")
