#!/usr/bin/env python3
"""The gradient of LoRA parameters by PyTorch alone, on a random Llama of llama1b's shapes: what Lethe is compared with.

Needs nothing but torch. Prints a JSON object for eager and for compiled execution, with the fields that
`lethe compare` reads, and the name of the kernel that attention runs.
Usage: torch_peer.py [--layers L] [--batch B] [--seq T] [--runs N] [--device cuda|cpu] [--tiny] [--no-compile]
"""
import argparse, json, statistics, time
import torch
import torch.nn.functional as F

RANK, ALPHA = 16, 32


class Lora(torch.nn.Module):
    def __init__(self, inner, outer):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(outer, inner) * 0.02, requires_grad=False)
        self.a = torch.nn.Parameter(torch.randn(RANK, inner) * 0.02)
        self.b = torch.nn.Parameter(torch.randn(outer, RANK) * 0.02)

    def forward(self, x):
        return F.linear(x, self.weight) + ALPHA / RANK * F.linear(F.linear(x, self.a), self.b)


def rotate(x, cos, sin):
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class Layer(torch.nn.Module):
    def __init__(self, d, heads, key_heads, ff):
        super().__init__()
        self.heads, self.key_heads, self.size = heads, key_heads, d // heads
        kv = key_heads * self.size
        self.q, self.k, self.v, self.o = Lora(d, d), Lora(d, kv), Lora(d, kv), Lora(d, d)
        self.gate, self.up, self.down = Lora(d, ff), Lora(d, ff), Lora(ff, d)
        self.norms = torch.nn.ParameterList(
            torch.nn.Parameter(torch.ones(d), requires_grad=False) for _ in range(2))

    def forward(self, x, cos, sin):
        batch, seq, d = x.shape
        y = F.rms_norm(x, (d,), self.norms[0], 1e-5)
        split = lambda t, n: t.view(batch, seq, n, self.size).transpose(1, 2)
        q = rotate(split(self.q(y), self.heads), cos, sin)
        k = rotate(split(self.k(y), self.key_heads), cos, sin)
        v = split(self.v(y), self.key_heads)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.o(mixed.transpose(1, 2).reshape(batch, seq, d))
        y = F.rms_norm(x, (d,), self.norms[1], 1e-5)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Llama(torch.nn.Module):
    def __init__(self, layers, d, heads, key_heads, ff, vocabulary, seq):
        super().__init__()
        self.embedding = torch.nn.Parameter(torch.randn(vocabulary, d) * 0.02, requires_grad=False)
        self.head = torch.nn.Parameter(torch.randn(vocabulary, d) * 0.02, requires_grad=False)
        self.layers = torch.nn.ModuleList(Layer(d, heads, key_heads, ff) for _ in range(layers))
        size = d // heads
        angles = torch.outer(torch.arange(seq), 5e5 ** (-torch.arange(0, size, 2) / size)).repeat(1, 2)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, ids):
        x = F.embedding(ids, self.embedding)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        logits = F.linear(F.rms_norm(x, x.shape[-1:], eps=1e-5), self.head)
        return F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten())


def attention_kernels(step, device):
    activities = [torch.profiler.ProfilerActivity.CUDA if device == "cuda" else torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as profile:
        step()
    names = {event.key for event in profile.key_averages()}
    return sorted(n for n in names if any(part in n.lower() for part in ("flash", "fmha", "sdpa", "attention")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seq", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a model that a CPU can bear")
    parser.add_argument("--no-compile", action="store_true")
    args = parser.parse_args()
    shape = (64, 4, 2, 128, 500) if args.tiny else (2048, 32, 8, 8192, 128256)
    torch.manual_seed(0)
    model = Llama(args.layers, *shape, args.seq).to(args.device, torch.bfloat16)
    ids = torch.randint(0, shape[-1], (args.batch, args.seq), device=args.device)
    parameters = [p for p in model.parameters() if p.requires_grad]
    wait = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    ways = {"eager": model}
    if not args.no_compile:
        ways["compiled"] = torch.compile(model)
    for way, run in ways.items():
        step = lambda: torch.autograd.grad(run(ids), parameters)
        for _ in range(2):
            step()
        times = []
        for _ in range(args.runs):
            wait()
            start = time.perf_counter()
            step()
            wait()
            times.append(time.perf_counter() - start)
        print(json.dumps({"op": "grad", "way": way, "workload": "llama1b", "batch": args.batch, "seq": args.seq,
                          "layers": args.layers, "median_s": statistics.median(times), "min_s": min(times),
                          "torch": torch.__version__, "attention": attention_kernels(step, args.device)}), flush=True)


main()
