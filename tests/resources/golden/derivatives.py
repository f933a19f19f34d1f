"""Losses, gradients, per-sample gradients and curvature products of a PEFT adapter, for make_golden.py.

A row's loss is the mean cross-entropy over its supervised tokens: labels[t + 1] is predicted at t, -100 is not
supervised, labels[0] never is. L is the mean of the rows' losses; gradient, Hessian and GGN are those of L, the Fisher
product is (1/n) sum_i g_i <g_i, v>. Rows run one at a time, without padding.
"""
import math

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from true_float64 import true_float64


class Problem:
    """A base model with a PEFT adapter and a few rows; adapter tensors by the names PEFT gives them on disk."""

    def __init__(self, base, adapter, rows, dtype):
        model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, attn_implementation="eager")
        self.model = PeftModel.from_pretrained(model, adapter, is_trainable=True,
                                               autocast_adapter_dtype=False).to(dtype)
        self.model.eval()
        named = {n.replace(".default.", "."): p for n, p in self.model.named_parameters()
                 if (".lora_A." in n or ".lora_B." in n) and "lm_head" not in n}
        self.model.requires_grad_(False)
        for p in named.values():
            p.requires_grad_(True)
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
    step = 1e-6
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


def greedy(problem, prompts, count, stop):
    """Greedy tokens without a cache after the first prompt with a clear, varied answer that does not stop early, and
    the smallest gap between the best and the second-best logit on the way."""
    for prompt in prompts:
        ids, gap = list(prompt), math.inf
        with torch.no_grad():
            for _ in range(count):
                top = problem.logits({"input_ids": ids})[-1].topk(2)
                gap = min(gap, (top.values[0] - top.values[1]).item())
                ids.append(top.indices[0].item())
        generated = ids[len(prompt):]
        if stop not in generated and len(set(generated)) > 5 and gap > 1e-3:
            return {"prompt": list(prompt), "tokens": generated, "smallest_gap": gap}
    raise ValueError("no prompt has a clear, varied greedy answer: choose another seed")


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
