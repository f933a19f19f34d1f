"""Writes the training settings that the tests of the recorded replay use.

    python export_settings.py DATA OUT [--train SETTING]

DATA holds stories260K/{model.safetensors,tokenizer.json} and tofu/full.json. Needs torch, safetensors, tokenizers.
OUT gets rows.jsonl, replaced_response.jsonl, replaced_query.jsonl and per setting a folder with theta0.safetensors
and setting.json. --train trains one setting, retrains it without its request, prints what reference.json records
and writes both ends. Initialisation and order come from a seeded generator: they cannot be written down as a formula.
"""
import json, math, os, random, sys
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

T, EOS, BATCH, LAYERS = 192, 2, 8, 5
B1, B2, EPS = .9, .999, 1e-8
ALL = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
       "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
QV = [ALL[0], ALL[2]]
SIX = list(range(6))
SETTINGS = {
    **{f"n120-rate3e-3-seed{s}": dict(n=120, seed=s, rank=4, modules=QV, rate=3e-3, request="remove", rows=SIX) for s in (1, 2, 3)},
    **{f"n120-rate1e-3-seed{s}": dict(n=120, seed=s, rank=4, modules=QV, rate=1e-3, request="remove", rows=SIX) for s in (4, 5)},
    "n480-rate1e-3-seed1": dict(n=480, seed=1, rank=4, modules=QV, rate=1e-3, request="remove", rows=list(range(20))),
    "n120-all-linears-seed1": dict(n=120, seed=1, rank=8, modules=ALL, rate=1e-3, request="remove", rows=SIX),
    "n120-responses-seed4": dict(n=120, seed=4, rank=4, modules=QV, rate=1e-3, request="response", rows=SIX),
    "n120-queries-seed4": dict(n=120, seed=4, rank=4, modules=QV, rate=1e-3, request="query", rows=SIX),
}
EPOCHS = 5


def tokenised(tok, question, answer):
    p, a = tok.encode(question).ids, tok.encode(answer, add_special_tokens=False).ids + [EOS]
    return (p + a)[:T], ([-100] * len(p) + a)[:T]


def all_rows(data):
    """The first 480 rows of TOFU; with another response or query: that of the row 200 further on (same place in another author)."""
    tok = Tokenizer.from_file(data + "/stories260K/tokenizer.json")
    raw = [json.loads(line) for line in open(data + "/tofu/full.json")][:480]
    rows = [tokenised(tok, r["question"], r["answer"]) for r in raw]
    response = {i: tokenised(tok, raw[i]["question"], raw[200 + i]["answer"]) for i in SIX}
    query = {i: tokenised(tok, raw[200 + i]["question"], raw[i]["answer"]) for i in SIX}
    return rows, response, query


class Setting:
    def __init__(self, weights, n, seed, rank, modules, rate, request, rows):
        self.W, self.n, self.rank, self.rate, self.request, self.rows = weights, n, rank, rate, request, rows
        self.modules = [(l, m) for l in range(LAYERS) for m in modules]
        gen, self.theta0 = torch.Generator().manual_seed(seed), {}
        for l, m in self.modules:
            out, inn = weights[f"model.layers.{l}.{m}.weight"].shape
            a = (torch.rand(rank * inn, generator=gen) * 2 - 1) / math.sqrt(inn)
            self.theta0[l, m] = (a.view(rank, inn), torch.zeros(out, rank))
        rng, self.order = random.Random(seed), []
        for _ in range(EPOCHS):
            p = list(range(n)); rng.shuffle(p)
            self.order += [p[i:i + BATCH] for i in range(0, n, BATCH)]
        rest = [i for i in range(n) if i not in set(rows)]
        self.judged = random.Random(0).sample(rest, min(80, len(rest)))

    def peft(self, theta):
        out = {}
        for (l, m), (a, b) in theta.items():
            out[f"base_model.model.model.layers.{l}.{m}.lora_A.weight"] = a.contiguous()
            out[f"base_model.model.model.layers.{l}.{m}.lora_B.weight"] = b.contiguous()
        return out

    # ---- the model, the training and the measure
    def logits(self, theta, x):
        W, n = self.W, x.shape[-1]
        pos = torch.arange(n)[:, None] / 10000 ** (torch.arange(4) / 4)[None]
        cos, sin = torch.cat([pos.cos()] * 2, -1)[:, None], torch.cat([pos.sin()] * 2, -1)[:, None]
        mask = torch.full((n, n), float("-inf")).triu(1)
        norm = lambda h, w: h * torch.rsqrt((h * h).mean(-1, keepdim=True) + 1e-5) * w
        rot = lambda z: z * cos + torch.cat([-z[..., 4:], z[..., :4]], -1) * sin

        def lin(l, m, z):
            y = z @ W[f"model.layers.{l}.{m}.weight"].T
            if (l, m) in theta:
                a, b = theta[l, m]; y = y + 2. * ((z @ a.T) @ b.T)               # alpha = 2 r
            return y

        h = W["model.embed_tokens.weight"][x]
        for l in range(LAYERS):
            z = norm(h, W[f"model.layers.{l}.input_layernorm.weight"])
            q, k, v = (lin(l, f"self_attn.{c}_proj", z) for c in "qkv")
            q = rot(q.unflatten(-1, (8, 8))).transpose(-3, -2)
            k = rot(k.unflatten(-1, (4, 8))).transpose(-3, -2).repeat_interleave(2, -3)
            v = v.unflatten(-1, (4, 8)).transpose(-3, -2).repeat_interleave(2, -3)
            a = (q @ k.transpose(-1, -2) / math.sqrt(8) + mask).softmax(-1) @ v
            h = h + lin(l, "self_attn.o_proj", a.transpose(-3, -2).flatten(-2))
            z = norm(h, W[f"model.layers.{l}.post_attention_layernorm.weight"])
            h = h + lin(l, "mlp.down_proj", torch.nn.functional.silu(lin(l, "mlp.gate_proj", z)) * lin(l, "mlp.up_proj", z))
        return norm(h, W["model.norm.weight"]) @ W["model.embed_tokens.weight"].T

    def logp(self, theta, rows):
        """per row: log-probabilities at the supervised positions, and the loss"""
        out = []
        for x, y in rows:
            y = torch.tensor(y[1:]); z = self.logits(theta, torch.tensor(x))[:-1].log_softmax(-1)[y != -100]
            out.append((z, -z.gather(1, y[y != -100][:, None]).mean()))
        return out

    def train(self, rows, skip=()):
        theta = {k: tuple(t.clone().requires_grad_(True) for t in ab) for k, ab in self.theta0.items()}
        flat = [t for ab in theta.values() for t in ab]; m = [torch.zeros_like(t) for t in flat]; v = [torch.zeros_like(t) for t in flat]
        K = len(self.order)
        for k, batch in enumerate(self.order):
            kept = [rows[i] for i in batch if i not in skip]
            loss = sum(l for _, l in self.logp(theta, kept)) / len(batch) if kept else sum(t.sum() for t in flat) * 0
            with torch.no_grad():
                for t, m_, v_, g in zip(flat, m, v, torch.autograd.grad(loss, flat)):
                    m_.mul_(B1).add_(g, alpha=1 - B1); v_.mul_(B2).addcmul_(g, g, value=1 - B2)
                    t -= self.rate * (1 - k / K) * (m_ / (1 - B1 ** (k + 1))) / ((v_ / (1 - B2 ** (k + 1))).sqrt() + EPS)
        return {k: tuple(t.detach() for t in ab) for k, ab in theta.items()}

    @torch.no_grad()
    def kl(self, p, q, rows):
        return sum(((a.exp() * (a - b)).sum(-1)).mean().item() for (a, _), (b, _) in zip(self.logp(p, rows), self.logp(q, rows))) / len(rows)


def line(f, i, row): f.write(json.dumps(dict(id=i, input_ids=row[0], labels=row[1]), separators=(",", ":")) + "\n")


def main(data, out, train=None):
    weights = {k: v.float() for k, v in load_file(data + "/stories260K/model.safetensors").items()}
    rows, response, query = all_rows(data)
    os.makedirs(out, exist_ok=True)
    for name, d in (("rows", dict(enumerate(rows))), ("replaced_response", response), ("replaced_query", query)):
        with open(f"{out}/{name}.jsonl", "w") as f:
            for i, r in d.items(): line(f, i, r)
    for name, c in SETTINGS.items():
        if train and name != train: continue
        s = Setting(weights, **c); os.makedirs(f"{out}/{name}", exist_ok=True)
        save_file(s.peft(s.theta0), f"{out}/{name}/theta0.safetensors")
        json.dump(dict(rows=c["n"], seed=c["seed"], rank=c["rank"], alpha=2 * c["rank"], modules=c["modules"], rate=c["rate"], schedule="linear",
                       note="rate of step k (from 0) = rate * (1 - k/K); the batch's loss is the sum of its rows' losses over batch_size; a row's loss is the mean over its supervised tokens",
                       epochs=EPOCHS, batch_size=BATCH, steps=len(s.order), beta1=B1, beta2=B2, eps=EPS, weight_decay=0, clip=0, max_length=T,
                       request=c["request"], request_rows=c["rows"], judged_retained_rows=s.judged, order=s.order),
                  open(f"{out}/{name}/setting.json", "w"), separators=(",", ":"))
        if train:
            other = {"remove": {}, "response": response, "query": query}[c["request"]]
            th = s.train(rows); thr = s.train([other.get(i, r) for i, r in enumerate(rows)], set(c["rows"]) if c["request"] == "remove" else ())
            d = lambda x, y: math.sqrt(sum((p - q).square().sum().item() for k in x for p, q in zip(x[k], y[k])))
            print(json.dumps(dict(moved=d(th, s.theta0), retrained_from_original=d(thr, th), kl_forgotten=s.kl(thr, th, [rows[i] for i in c["rows"]]),
                                  kl_retained=s.kl(thr, th, [rows[i] for i in s.judged]))))
            save_file(s.peft(th), f"{out}/{name}/original.safetensors"); save_file(s.peft(thr), f"{out}/{name}/retrained.safetensors")


if __name__ == "__main__":
    a = [x for x in sys.argv[1:] if x != "--train"]
    main(a[0], a[1], a[2] if len(a) > 2 else None)
