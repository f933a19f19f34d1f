#!/usr/bin/env python3
"""Writes the golden numbers that Lethe's tests compare with, computed by PyTorch, transformers and PEFT.

    make_golden.py DATA OUT [--only stories|variants|optimisers]

DATA holds stories260K/, tofu/ and tinystories_sample/; OUT is tests/resources/golden. README.md there says what
each file is. Every number is computed from files as read back from disk, not from what is in memory. The stories260K
model itself is not written to OUT: golden.json has its SHA-256, so that a test can tell that it has the same one.

"True float64": transformers keeps RMSNorm, the softmax and the rotary angles in float32 even in a float64 model.
`true_float64()` replaces the three by float64 ones, so that a float64 implementation can be held to 1e-10. The numbers of
unchanged transformers, in float64 and in float32, are recorded beside them.

Conventions. A row's loss is the mean cross-entropy over its supervised tokens: labels[t + 1] is predicted at t, -100 is
not supervised, labels[0] never is. L is the mean of the rows' losses; gradient, Hessian and GGN are those of L, the
Fisher product is (1/n) sum_i g_i <g_i, v>. Rows run one at a time, without padding.
"""
import argparse
import contextlib
import hashlib
import json
import math
import platform
from pathlib import Path

import peft
import tokenizers
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.llama import modeling_llama
from transformers.models.mistral import modeling_mistral
from transformers.models.qwen2 import modeling_qwen2

FAMILIES = [(modeling_llama, "Llama"), (modeling_mistral, "Mistral"), (modeling_qwen2, "Qwen2")]
ALL_LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PREFIX = "base_model.model.model.layers."


# --- true float64 -----------------------------------------------------------------------------------------------------

def double_rms_norm(self, x):
    """w x / sqrt(mean x^2 + eps), in the dtype of x."""
    return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)


def double_attention(module, query, key, value, attention_mask, scaling, dropout=0.0, **_):
    """Eager attention with the softmax in the dtype of the scores. query (B,H,T,K), key and value (B,G,S,K)."""
    key = key.repeat_interleave(module.num_key_value_groups, dim=1)
    value = value.repeat_interleave(module.num_key_value_groups, dim=1)
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.softmax(-1)
    return (weights @ value).transpose(1, 2).contiguous(), weights


def inverse_frequencies(config):
    """RoPE's angle per position in float64: default, linear and llama3, as in transformers' modeling_rope_utils."""
    rope = config.rope_parameters
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    freq = rope["rope_theta"] ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    if rope["rope_type"] == "default":
        return freq
    if rope["rope_type"] == "linear":
        return freq / rope["factor"]
    if rope["rope_type"] != "llama3":
        raise ValueError(f"no float64 rule for rope_type {rope['rope_type']}")
    context, low, high = (rope[k] for k in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))
    smooth = ((context * freq / (2 * math.pi) - low) / (high - low)).clamp(0, 1)
    return freq * (smooth + (1 - smooth) / rope["factor"])


def double_rotary(self, x, position_ids):
    freq = inverse_frequencies(self.config)
    error = (freq.float() - self.inv_freq).abs() / self.inv_freq.abs()
    assert error.max() < 1e-6, f"inverse frequencies differ from transformers' by {error.max()}"
    angle = position_ids[:, :, None].double() * freq
    angle = torch.cat((angle, angle), dim=-1)
    return angle.cos(), angle.sin()


@contextlib.contextmanager
def true_float64():
    kept = []
    for module, name in FAMILIES:
        norm, rotary = getattr(module, name + "RMSNorm"), getattr(module, name + "RotaryEmbedding")
        for owner, attribute, value in [(norm, "forward", double_rms_norm), (rotary, "forward", double_rotary),
                                        (module, "eager_attention_forward", double_attention)]:
            kept.append((owner, attribute, getattr(owner, attribute)))
            setattr(owner, attribute, value)
    try:
        yield
    finally:
        for owner, attribute, value in kept:
            setattr(owner, attribute, value)


# --- derivatives ------------------------------------------------------------------------------------------------------

class Problem:
    """A base model with a PEFT adapter and a few rows; adapter tensors by the names PEFT gives them on disk."""

    def __init__(self, base, adapter, rows, dtype):
        model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, attn_implementation="eager")
        self.model = PeftModel.from_pretrained(model, adapter, is_trainable=True, autocast_adapter_dtype=False).to(dtype)
        self.model.eval()
        named = {n.replace(".default.", "."): p for n, p in self.model.named_parameters() if p.requires_grad}
        self.names = sorted(named)
        self.params = [named[n] for n in self.names]
        self.rows = rows

    def logits(self, row):  # (T, V)
        return self.model(input_ids=torch.tensor([row["input_ids"]]), use_cache=False).logits[0]

    def loss(self, row):
        return torch.nn.functional.cross_entropy(
            self.logits(row)[:-1], torch.tensor(row["labels"][1:]), ignore_index=-100)

    def losses(self):
        with torch.no_grad():
            return [self.loss(row).item() for row in self.rows]

    def mean_loss(self):
        return sum(self.loss(row) for row in self.rows) / len(self.rows)

    def grad(self, value, **kwargs):
        return torch.autograd.grad(value, self.params, **kwargs)

    def per_sample(self):
        return [self.grad(self.loss(row)) for row in self.rows]

    def hvp(self, v):
        return self.grad(dot(self.grad(self.mean_loss(), create_graph=True), v))

    def ggn(self, v):
        """(1/n) sum_i J_i' W_i (diag p - p p') J_i v, with J v by the derivative of J' u with respect to u."""
        total = [torch.zeros_like(p) for p in self.params]
        for row in self.rows:
            targets = torch.tensor(row["labels"][1:])
            z = self.logits(row)[:-1][targets != -100]  # (S, V), supervised positions only
            u = torch.zeros_like(z, requires_grad=True)
            ju = self.grad(z, grad_outputs=u, create_graph=True)
            jv, = torch.autograd.grad(dot(ju, v), u, retain_graph=True)
            p = z.detach().softmax(-1)
            h = p * (jv - (p * jv).sum(-1, keepdim=True)) / len(z)
            for t, g in zip(total, self.grad(z, grad_outputs=h)):
                t += g / len(self.rows)
        return total

    def named(self, tensors, dtype=torch.float64):
        return {n: t.detach().to(dtype).contiguous() for n, t in zip(self.names, tensors)}


def dot(a, b):
    return sum((x * y).sum() for x, y in zip(a, b))


def norm(a):
    return dot(a, a).sqrt().item()


def relative(a, b):
    return norm([x.double() - y.double() for x, y in zip(a, b)]) / norm([y.double() for y in b])


def mean(gradients):
    return [torch.stack(g).mean(0) for g in zip(*gradients)]


def random_vector(problem, seed):
    """Standard normal, rounded to float32 so that a float32 file holds it exactly."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(p.shape, generator=generator).double() for p in problem.params]


def check_by_differences(problem, v, hv):
    """The stored product must be the derivative of the gradient: central differences in float64."""
    step = 1e-5
    gradients = []
    for sign in (1, -1):
        shift(problem, v, sign * step)
        gradients.append(problem.grad(problem.mean_loss()))
        shift(problem, v, -sign * step)
    error = relative([(a - b) / (2 * step) for a, b in zip(*gradients)], hv)
    assert error < 1e-6, f"Hessian product differs from central differences by {error}"
    return error


def shift(problem, v, amount):
    with torch.no_grad():
        for p, d in zip(problem.params, v):
            p += amount * d


def greedy(problem, prompt, count, stop):
    """Greedy tokens without a cache, and the smallest gap between the best and the second-best logit on the way."""
    ids, gap = list(prompt), math.inf
    with torch.no_grad():
        for _ in range(count):
            top = problem.logits({"input_ids": ids})[-1].topk(2)
            gap = min(gap, (top.values[0] - top.values[1]).item())
            ids.append(top.indices[0].item())
    generated = ids[len(prompt):]
    assert stop not in generated, "choose another seed: the end-of-text token was generated"
    return {"prompt": list(prompt), "tokens": generated, "smallest_gap": gap}


def derivatives(base, adapter, rows, vectors, per_sample_names=()):
    """Golden tensors and numbers of one model, adapter and batch; the first vector's products whole, all by dots."""
    tensors, numbers = {}, {}
    with true_float64():
        problem = Problem(base, adapter, rows, torch.float64)
        vs = [random_vector(problem, seed) for seed in vectors]
        samples = problem.per_sample()
        gradient = mean(samples)
        hvps, ggns = [problem.hvp(v) for v in vs], [problem.ggn(v) for v in vs]
        fishers = [mean([[dot(g, v) * t for t in g] for g in samples]) for v in vs]
        losses = problem.losses()
        numbers["true_float64"] = {
            "losses": losses,
            "mean_loss": sum(losses) / len(losses),
            "gradient_norm": norm(gradient),
            "per_sample_norms": [norm(g) for g in samples],
            "per_sample_dot_vectors": [[dot(g, v).item() for v in vs] for g in samples],
            "per_sample_gram": [[dot(g, h).item() for h in samples] for g in samples],
            "gradient_dot_vectors": [dot(gradient, v).item() for v in vs],
            "hessian": [[dot(v, p).item() for p in hvps] for v in vs],
            "ggn": [[dot(v, p).item() for p in ggns] for v in vs],
            "fisher": [[dot(v, p).item() for p in fishers] for v in vs],
            "hvp_norms": [norm(p) for p in hvps],
            "ggn_norms": [norm(p) for p in ggns],
            "hvp_against_central_differences": check_by_differences(problem, vs[0], hvps[0]),
        }
        with torch.no_grad():
            tensors["logits"] = problem.logits(rows[0]).contiguous()
        for kind, value in [("gradient", gradient), ("hvp0", hvps[0]), ("ggn0", ggns[0]), ("fisher0", fishers[0])]:
            tensors.update({f"{kind}/{n}": t for n, t in problem.named(value).items()})
        for name in per_sample_names:
            index = problem.names.index(name)
            tensors[f"per_sample/{name}"] = torch.stack([g[index] for g in samples]).contiguous()
    for label, dtype in [("transformers_float64", torch.float64), ("transformers_float32", torch.float32)]:
        plain = Problem(base, adapter, rows, dtype)
        numbers[label] = {
            "losses": plain.losses(),
            "gradient_relative_error": relative(plain.grad(plain.mean_loss()), gradient),
            "hvp0_relative_error": relative(plain.hvp([v.to(dtype) for v in vs[0]]), hvps[0]),
            "logits_largest_error": (plain.logits(rows[0]).double() - tensors["logits"]).abs().max().item(),
        }
    files = [problem.named(v, torch.float32) for v in vs]
    return tensors, numbers, files


# --- files ------------------------------------------------------------------------------------------------------------

def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


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
        for _, p in sorted((n, p) for n, p in model.named_parameters() if p.requires_grad):
            p.copy_(torch.randn(p.shape, generator=generator) * std)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base.name
    for key in ("target_modules", "exclude_modules"):
        if isinstance(config.get(key), list):
            config[key].sort()  # PEFT writes a set, in any order
    write_json(folder / "adapter_config.json", config)


# --- stories260K ------------------------------------------------------------------------------------------------------

def stories_rows(data, tokenizer):
    """Five rows of odd lengths: TOFU questions and answers, TinyStories text, -100 at the start, in the middle, nowhere."""
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
        numbers["greedy"] = greedy(problem, tokenizer("Once upon a time")["input_ids"], 32, stop=2)
        numbers["adamw"] = adamw_run(problem, 20)
        tensors.update({f"adamw/{n}": t for n, t in problem.named(problem.params).items()})
        warm_cosine = lambda o: transformers.get_cosine_schedule_with_warmup(o, 5, 20)
        problem = Problem(base, adapter, rows, torch.float64)
        numbers["adamw_clip_cosine"] = {"clip": 1.0, "warmup_steps": 5, "total_steps": 20,
                                        **adamw_run(problem, 20, warm_cosine, clip=1.0)}
    save_file(tensors, folder / "golden_f64.safetensors")
    sha256 = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    write_json(folder / "golden.json", {"versions": versions(), "model_sha256": sha256, **numbers})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=["stories", "variants", "optimisers"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    makers = {"stories": make_stories}
    for name, make in makers.items():
        if arguments.only in (None, name):
            make(arguments.data, arguments.out)


if __name__ == "__main__":
    main()
