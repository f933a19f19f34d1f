#!/usr/bin/env python3
"""Writes the golden numbers that Lethe's tests compare with, computed by PyTorch, transformers and PEFT.

    make_golden.py DATA OUT [--only stories|variants|optimisers|a variant's name]

DATA holds stories260K/, tofu/ and tinystories_sample/; OUT is tests/resources/golden. README.md there says what each
file is. Every number is computed from files as read back from disk, not from what is in memory. The stories260K model
itself is not written to OUT: golden.json has its SHA-256, so that a test can tell that it has the same one.
"""
import argparse
import hashlib
import json
import math
import platform
import re
from pathlib import Path

import peft
import tokenizers
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from derivatives import Problem, derivatives, greedy, norm
from true_float64 import true_float64

ALL_LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PREFIX = "base_model.model.model.layers."


# --- files ------------------------------------------------------------------------------------------------------------

def write_json(path, value):
    """Indented, with lists of numbers or strings on one line."""
    text = json.dumps(value, indent=1)
    path.write_text(re.sub(r"\[[^\[\]{}]*\]", lambda m: " ".join(m[0].split()), text) + "\n")


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def versions():
    return {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
            "peft": peft.__version__, "tokenizers": tokenizers.__version__, "threads": torch.get_num_threads()}


def save_adapter(base, folder, seed, std, **options):
    """A PEFT adapter with normal A and B, float32, written by PEFT; the base model's path is not kept."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **options))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for n, p in sorted((n, p) for n, p in model.named_parameters() if p.requires_grad):
            noise = torch.randn(p.shape, generator=generator) * std
            p.copy_(noise if "lora_" in n else p + noise)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base.name
    for key in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config.get(key), list):
            config[key].sort()  # PEFT writes a set, in any order
    write_json(folder / "adapter_config.json", config)


# --- stories260K ------------------------------------------------------------------------------------------------------

def stories_rows(data, tokenizer):
    """Five rows of odd lengths from TOFU and TinyStories; -100 at the start, in the middle too, nowhere."""
    tofu = [json.loads(line) for line in (data / "tofu/full.json").read_text().splitlines()[:8]]
    stories = (data / "tinystories_sample/tinystories.txt").read_text()
    texts = [tofu[1]["answer"], stories[:400], tofu[0]["question"] + " " + tofu[0]["answer"],
             tofu[3]["question"] + " " + tofu[3]["answer"], stories[2000:2600]]
    rows = []
    for i, (text, length, unsupervised) in enumerate(zip(
            texts, [7, 13, 27, 39, 61], [range(0, 3), [], range(0, 16), range(0, 25), [*range(0, 9), *range(30, 41)]])):
        ids = tokenizer(text)["input_ids"][:length]
        assert len(ids) == length, f"text {i} has {len(ids)} tokens, wanted {length}"
        rows.append({"id": str(i), "input_ids": ids,
                     "labels": [-100 if t in unsupervised else token for t, token in enumerate(ids)]})
    return rows


def adamw_run(problem, steps, schedule=None, clip=None):
    """Full-batch AdamW; losses before each step, the learning rate used in it and the gradient norm before clipping."""
    optimizer = torch.optim.AdamW(problem.params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    scheduler = schedule(optimizer) if schedule else None
    log = {"losses": [], "lrs": [], "gradient_norms": []}
    for _ in range(steps):
        optimizer.zero_grad()
        loss = problem.mean_loss()
        loss.backward()
        limit = clip if clip else math.inf
        log["gradient_norms"].append(torch.nn.utils.clip_grad_norm_(problem.params, limit).item())
        log["losses"].append(loss.item())
        log["lrs"].append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler:
            scheduler.step()
    with torch.no_grad():
        log["final_loss"] = problem.mean_loss().item()
    log["final_parameter_norm"] = norm([p.detach() for p in problem.params])
    return log


def make_stories(data, out):
    base, folder = data / "stories260K", out / "stories_lora"
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = stories_rows(data, tokenizer)
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "samples.jsonl", rows)
    adapter = folder / "adapter"
    save_adapter(base, adapter, seed=1, std=0.05, r=2, lora_alpha=4, target_modules=ALL_LINEARS)
    chosen = [f"{PREFIX}{layer}.lora_{part}.weight" for layer in ("0.self_attn.q_proj", "4.mlp.down_proj")
              for part in "AB"]
    tensors, numbers, vectors = derivatives(base, adapter, rows, [11, 12], chosen)
    for i, vector in enumerate(vectors):
        save_file(vector, folder / f"vector{i}.safetensors")
    with true_float64():
        problem = Problem(base, adapter, rows, torch.float64)
        numbers["greedy"] = greedy(problem, [tokenizer("Once upon a time")["input_ids"]], 32, stop=2)
        numbers["adamw"] = adamw_run(problem, 20)
        tensors.update({f"adamw/{n}": t for n, t in problem.named(problem.params).items()})
        warm_cosine = lambda o: transformers.get_cosine_schedule_with_warmup(o, 5, 20)
        problem = Problem(base, adapter, rows, torch.float64)
        numbers["adamw_clip_cosine"] = {"clip": 1.0, "warmup_steps": 5, "total_steps": 20,
                                        **adamw_run(problem, 20, warm_cosine, clip=1.0)}
    save_file(tensors, folder / "golden_f64.safetensors")
    sha256 = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    write_json(folder / "golden.json", {"versions": versions(), "model_sha256": sha256, **numbers})


# --- tiny random models -----------------------------------------------------------------------------------------------

TINY = {"hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 97, "max_position_embeddings": 128, "rms_norm_eps": 1e-5,
        "hidden_act": "silu", "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2}
LLAMA = {**TINY, "architectures": ["LlamaForCausalLM"], "model_type": "llama"}
GPT2 = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4,
        "n_inner": None, "n_positions": 64, "n_ctx": 64, "vocab_size": 97, "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5, "attn_pdrop": 0.1, "embd_pdrop": 0.1, "resid_pdrop": 0.1,
        "bos_token_id": 1, "eos_token_id": 2}
PHI3 = {**TINY, "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "tie_word_embeddings": False,
        "rope_theta": 10000.0, "original_max_position_embeddings": 128, "pad_token_id": 0, "attention_bias": False,
        "attention_dropout": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}
LORA = {"r": 3, "lora_alpha": 6, "target_modules": ["q_proj", "v_proj", "down_proj"]}

def without(config, field):
    return {name: value for name, value in config.items() if name != field}


# name: (config.json as published models write it, dtype on disk, adapter options, lengths of the two rows)
VARIANTS = {
    "llama3_rope": ({**LLAMA, "max_position_embeddings": 256, "rope_theta": 500.0, "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}}, torch.bfloat16, LORA, [11, 41]),
    "linear_rope": ({**LLAMA, "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}},
                    torch.bfloat16, {"r": 2, "lora_alpha": 3, "target_modules": r".*\.layers\.1\..*(q_proj|up_proj)"},
                    [9, 17]),
    "mistral_sliding_window": ({**TINY, "architectures": ["MistralForCausalLM"], "model_type": "mistral",
                                "tie_word_embeddings": False, "rope_theta": 10000.0, "sliding_window": 7},
                               torch.bfloat16, LORA, [19, 29]),
    "qwen2_bias": ({**TINY, "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "rms_norm_eps": 1e-6,
                    "rope_theta": 1000000.0, "use_sliding_window": False, "sliding_window": 8, "max_window_layers": 2},
                   torch.bfloat16, {**LORA, "target_modules": ALL_LINEARS, "r": 1}, [11, 23]),
    "untied": ({**LLAMA, "tie_word_embeddings": False, "num_key_value_heads": 4, "rope_theta": 10000.0},
               torch.float32, LORA, [11, 13]),
    "rslora": ({**LLAMA, "rope_theta": 10000.0, "num_key_value_heads": 1}, torch.float16,
               {**LORA, "use_rslora": True}, [5, 15]),
    "patterns": ({**LLAMA, "rope_theta": 10000.0}, torch.bfloat16,
                 {**LORA, "target_modules": ["q_proj", "k_proj", "o_proj", "gate_proj", "down_proj"], "r": 2,
                  "rank_pattern": {"k_proj": 1, "layers.1.mlp.down_proj": 5},
                  "alpha_pattern": {"gate_proj": 10, "layers.0.self_attn.q_proj": 1}}, [11, 13]),
    "head_dim": ({**LLAMA, "rope_theta": 10000.0, "head_dim": 6},
                 torch.bfloat16, {**LORA, "target_modules": ["q_proj", "o_proj"]}, [11, 13]),
    "gpt2": (GPT2, torch.float32, {**LORA, "target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True},
             [11, 23]),
    "gpt2_gelu": ({**GPT2, "n_inner": 40, "activation_function": "gelu"}, torch.bfloat16,
                  {**LORA, "target_modules": ["c_attn", "mlp.c_proj"], "r": 2}, [7, 13]),
    "phi3": ({**PHI3, "sliding_window": 7}, torch.bfloat16,
             {**LORA, "target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]}, [11, 23]),
    "phi4_mini": ({**PHI3, "tie_word_embeddings": True, "max_position_embeddings": 512,
                   "original_max_position_embeddings": 64, "partial_rotary_factor": 0.75, "sliding_window": 1024,
                   "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.25, 2.5],
                                    "long_factor": [1.0, 4.0, 16.0]},
                   "full_attn_mod": 1, "interpolate_factor": 1, "lm_head_bias": False, "mlp_bias": False},
                  torch.bfloat16, {**LORA, "target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]},
                  [11, 23]),
}

# Families with norms of queries and keys, or norms after the layers; their seeds count from 601.
NORMED = {
    "qwen3": ({**TINY, "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "rms_norm_eps": 1e-6,
               "head_dim": 10, "rope_theta": 1000000.0, "attention_bias": True}, torch.bfloat16,
              {**LORA, "target_modules": ALL_LINEARS, "r": 2}, [11, 23]),
    "olmo2": ({**TINY, "architectures": ["Olmo2ForCausalLM"], "model_type": "olmo2", "tie_word_embeddings": False,
               "rope_theta": 500000.0}, torch.bfloat16, {**LORA, "target_modules": ALL_LINEARS, "r": 2}, [11, 23]),
    "gemma3": ({**without(TINY, "hidden_act"), "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text",
                "rms_norm_eps": 1e-6, "head_dim": 10, "hidden_activation": "gelu_pytorch_tanh",
                "query_pre_attn_scalar": 30, "sliding_window": 6, "sliding_window_pattern": 2,
                "rope_theta": 1000000.0, "rope_local_base_freq": 100.0,
                "rope_scaling": {"rope_type": "linear", "factor": 8.0}}, torch.bfloat16,
               {**LORA, "target_modules": ALL_LINEARS, "r": 2, "lora_alpha": 2}, [11, 23]),
}

# Adapters with frozen parts: whole copies of weights, pairs on embedding and head; their seeds count from 701.
FROZEN = {
    "saved_modules": ({**LLAMA, "tie_word_embeddings": False, "rope_theta": 10000.0}, torch.bfloat16,
                      {**LORA, "modules_to_save": ["norm", "lm_head"]}, [11, 13]),
    "saved_embedding": ({**LLAMA, "rope_theta": 10000.0}, torch.bfloat16,
                        {**LORA, "modules_to_save": ["embed_tokens"]}, [11, 13]),
    "targeted_embedding": ({**LLAMA, "rope_theta": 10000.0}, torch.bfloat16,
                           {**LORA, "target_modules": ["q_proj", "v_proj", "embed_tokens", "lm_head"]}, [11, 13]),
}


def save_tiny_model(folder, config, dtype, seed):
    """Random weights of a size that makes every part matter: norms around 1, biases, outputs of order 1."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", {**config, "torch_dtype": str(dtype).removeprefix("torch.")})
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, p in sorted(model.named_parameters()):
        value = torch.randn(p.shape, generator=generator)
        if p.dim() == 1:
            value = 0.3 * value + (0 if name.endswith("bias") or config["model_type"] == "gemma3_text" else 1)
        else:
            value = value / math.sqrt(p.shape[1]) * (0.4 if "embed" in name else 1.5 if "lm_head" in name else 1)
        tensors[name] = value.to(dtype)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def random_rows(lengths, seed):
    """Rows of token ids from 3 up; the first third of each is not supervised."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for i, length in enumerate(lengths):
        ids = [1] + torch.randint(3, 97, (length - 1,), generator=generator).tolist()
        rows.append({"id": str(i), "input_ids": ids, "labels": [-100] * (length // 3) + ids[length // 3:]})
    return rows


def make_variants(_, out, only=None):
    seeded = [*enumerate(VARIANTS.items(), start=501), *enumerate(NORMED.items(), start=601),
              *enumerate(FROZEN.items(), start=701)]
    for seed, (name, (config, dtype, lora, lengths)) in seeded:
        if only not in (None, name):
            continue
        folder = out / name
        save_tiny_model(folder, config, dtype, seed)
        rows = random_rows(lengths, seed)
        write_rows(folder / "samples.jsonl", rows)
        save_adapter(folder, folder / "adapter", seed, std=0.2, **lora)
        tensors, numbers, (vector,) = derivatives(folder, folder / "adapter", rows, [seed])
        save_file(vector, folder / "vector0.safetensors")
        with true_float64():
            problem = Problem(folder, folder / "adapter", rows, torch.float64)
            prompts = [row["input_ids"] for row in random_rows([5] * 200, seed + 1)]
            numbers["greedy"] = greedy(problem, prompts, 16, stop=2)
        save_file(tensors, folder / "golden.safetensors")
        write_json(folder / "golden.json", {"versions": versions(), **numbers})


# --- optimisers and schedules -----------------------------------------------------------------------------------------

def optimizer_run(make, start, gradients):
    p = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer, steps = make([p]), []
    for g in gradients:
        p.grad = torch.tensor(g, dtype=torch.float64)
        optimizer.step()
        steps.append(p.detach().tolist())
    return steps


def schedule_rates(make, steps):
    """Learning rates, for base rate 1, of steps 0 .. steps - 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def make_optimisers(_, out):
    generator = torch.Generator().manual_seed(7)
    start = torch.randn(10, generator=generator, dtype=torch.float64).tolist()
    gradients = torch.randn(10, 10, generator=generator, dtype=torch.float64).tolist()
    optim = torch.optim
    runs = [
        ("sgd", {"lr": 0.1, "momentum": 0.0, "weight_decay": 0.0}, optim.SGD),
        ("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0}, optim.SGD),
        ("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}, optim.SGD),
        ("adamw", {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}, optim.AdamW),
        ("adamw", {"lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": 0.1}, optim.AdamW),
    ]
    schedules = []
    for kind, steps, warmup in [("linear", 20, 5), ("linear", 13, 0), ("cosine", 20, 5), ("cosine", 13, 0),
                                ("constant_with_warmup", 12, 4), ("constant_with_warmup", 5, 0)]:
        make = lambda o: transformers.get_scheduler(kind, o, warmup, steps)
        schedules.append({"kind": kind, "steps": steps, "warmup": warmup, "rates": schedule_rates(make, steps)})
    write_json(out / "optimisers.json", {
        "versions": versions(), "start": start, "gradients": gradients,
        "runs": [{"kind": kind, **options, "parameters": optimizer_run(
            lambda p: make(p, **options), start, gradients)} for kind, options, make in runs],
        "schedules": schedules})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=["stories", "variants", "optimisers", *VARIANTS, *NORMED, *FROZEN])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    makers = {"stories": make_stories, "variants": make_variants, "optimisers": make_optimisers}
    for name, make in makers.items():
        if arguments.only in (None, name):
            make(arguments.data, arguments.out)
    if arguments.only in {**VARIANTS, **NORMED, **FROZEN}:
        make_variants(arguments.data, arguments.out, arguments.only)


if __name__ == "__main__":
    main()
