"""The solve of `lethe unlearn` (Gauss-Newton, conjugate gradients) in PyTorch's own words, to compare time and answer with.

(1/n sum over the curvature rows of J'HJ + damping I) step = 1/n sum over the forgotten rows of their gradients, with J'HJv by the
double-backward trick: Jv is the derivative of u -> J'u in the direction v, then the loss's Hessian, then one more backward.
Attention is eager, the only kind that PyTorch can differentiate twice.

  python jmh/peer/unlearn_double_backward.py --model M --adapter A --data full.jsonl --forget forget.ids --damping L \
      [--curvature-ids FILE] [--tolerance 1e-3] [--max-iterations N] [--step lethe_step.safetensors]

needs torch, transformers, peft and safetensors. --curvature-ids names the rows of the curvature, a number a line. --step names Lethe's answer, to print the relative difference.
"""

import argparse
import json
import time

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("model", "adapter", "data", "forget"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--curvature-ids")
    parser.add_argument("--step")
    parser.add_argument("--damping", type=float, required=True)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--max-iterations", type=int, default=100)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def encode(tokenizer, row):
    prompt = tokenizer("Question: %s\nAnswer:" % row["question"], add_special_tokens=False).input_ids
    answer = tokenizer(" " + row["answer"], add_special_tokens=False).input_ids + [tokenizer.eos_token_id]
    return [tokenizer.bos_token_id] + prompt + answer, len(answer)


def batches(rows, limit):
    """Rows of like length together, so that little is padded: ids [B,T], weights [B,T-1] of 1/tokens on supervised targets."""
    rows = sorted(rows, key=lambda row: len(row[0]))
    while rows:
        count = 1
        while count < len(rows) and (count + 1) * len(rows[count][0]) <= limit:
            count += 1
        part, rows = rows[:count], rows[count:]
        width = len(part[-1][0])
        ids = torch.zeros(count, width, dtype=torch.long)
        weights = torch.zeros(count, width - 1)
        for i, (tokens, supervised) in enumerate(part):
            ids[i, : len(tokens)] = torch.tensor(tokens)
            weights[i, len(tokens) - supervised - 1 : len(tokens) - 1] = 1 / supervised
        yield ids, weights


class Objective:
    def __init__(self, model, divisor):
        self.model = model
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.divisor = divisor

    def logits(self, ids, weights):
        """Logits [S,V] of the supervised positions, their targets [S] and weights [S]."""
        at = weights > 0
        return self.model(input_ids=ids).logits[:, :-1][at], ids[:, 1:][at], weights[at]

    def flat(self, tensors):
        return torch.cat([t.reshape(-1) for t in tensors])

    def split(self, vector):
        pieces = vector.split([p.numel() for p in self.parameters])
        return [piece.view_as(p) for piece, p in zip(pieces, self.parameters)]

    def gradient(self, data):
        total = 0
        for ids, weights in data:
            logits, targets, weight = self.logits(ids, weights)
            loss = (torch.nn.functional.cross_entropy(logits, targets, reduction="none") * weight).sum()
            total = total + self.flat(torch.autograd.grad(loss, self.parameters))
        return total / self.divisor

    def gauss_newton(self, data, vector):
        pieces = self.split(vector)
        total = 0
        for ids, weights in data:
            logits, _, weight = self.logits(ids, weights)
            u = torch.zeros_like(logits, requires_grad=True)
            transposed = torch.autograd.grad(logits, self.parameters, u, create_graph=True)
            (tangent,) = torch.autograd.grad(transposed, u, pieces, retain_graph=True)
            p = logits.detach().softmax(-1)
            curved = weight[:, None] * p * (tangent - (p * tangent).sum(-1, keepdim=True))
            total = total + self.flat(torch.autograd.grad(logits, self.parameters, curved))
        return total / self.divisor


def conjugate_gradients(product, b, damping, tolerance, limit):
    x = torch.zeros_like(b)
    r = b.clone()
    p = r.clone()
    rr = r @ r
    for iteration in range(1, limit + 1):
        start = time.perf_counter()
        q = product(p) + damping * p
        seconds = time.perf_counter() - start
        alpha = rr / (p @ q)
        x += alpha * p
        r -= alpha * q
        new = r @ r
        residual = (new.sqrt() / b.norm()).item()
        print(json.dumps({"iteration": iteration, "residual": residual, "seconds": round(seconds, 3)}), flush=True)
        if residual <= tolerance:
            break
        p = r + (new / rr) * p
        rr = new
    return x


def lethe_step(path, model):
    tensors = load_file(path)
    names = [n.replace(".default.", ".") for n, p in model.named_parameters() if p.requires_grad]
    return torch.cat([tensors[name].reshape(-1) for name in names])


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    begun = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    base = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation="eager")
    model = PeftModel.from_pretrained(base, options.adapter, is_trainable=True)
    with open(options.data) as file:
        rows = [encode(tokenizer, json.loads(line)) for line in file]
    forgotten = {int(line) for line in open(options.forget)}
    target = [i for i in range(len(rows)) if i not in forgotten]
    kept = [int(line) for line in open(options.curvature_ids)] if options.curvature_ids else target
    request = list(batches([rows[i] for i in sorted(forgotten)], options.batch_tokens))
    curved = list(batches([rows[i] for i in kept], options.batch_tokens))
    loaded = time.perf_counter()
    b = Objective(model, len(rows)).gradient(request)
    after_b = time.perf_counter()
    curvature = Objective(model, len(rows) * len(kept) / len(target))
    x = conjugate_gradients(
        lambda v: curvature.gauss_newton(curved, v), b, options.damping, options.tolerance, options.max_iterations)
    done = time.perf_counter()
    report = {"b_norm": b.norm().item(), "step_norm": x.norm().item(), "curvature_rows": len(kept),
              "load_s": loaded - begun, "gradients_s": after_b - loaded, "solve_s": done - after_b}
    if options.step:
        other = lethe_step(options.step, model)
        report["difference_from_lethe"] = ((x - other).norm() / x.norm()).item()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
