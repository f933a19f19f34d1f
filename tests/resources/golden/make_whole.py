#!/usr/bin/env python3
"""Writes whole.json: losses, training steps, tokens and influence of models in the shapes that people have.

    make_whole.py TOKENIZERS OUT [NAME]

The shapes and the numbers are those of make_sizes.py, with more layers and a larger vocabulary, so a test makes the same
weights. transformers and PEFT in float32: a loss for each of two rows, two steps of AdamW on both (rate 1e-3, gradients
clipped to norm 1), eight tokens by the largest logit, and what removing either row does to either row's loss, by
Gauss-Newton products and conjugate gradients; all but the steps with the adapter as it was at the start. Rows are random
tokens, or conversations by a chat template and a tokenizer: in the models of two layers the small ones of ../tokenizers
with a template of ../chat, in those named -text what the folder TOKENIZERS holds (../tokenizers/README.md). Memory: 3 GB
for qwen2.5-0.5b, 9 GB for llama-3.2-1b.
"""
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from make_sizes import ADAPTER_SEED, RANK, ROW_SEED, SCALE, SHAPES, TARGETS, bits, numbers

HERE = Path(__file__).resolve().parent
# Name: shape, layers, vocabulary, tokenizer, and whose template where it is not the tokenizer's own.
SIZES = {
    "qwen2.5-0.5b-2": ("qwen2.5-0.5b", 2, 2048, "qwen3", "library/qwen2.5:0.5b"),
    "llama-3.2-1b-2": ("llama-3.2-1b", 2, 2048, "llama3", "library/llama3:8b"),
    "qwen2.5-0.5b": ("qwen2.5-0.5b", 24, 151936, None, None),
    "llama-3.2-1b": ("llama-3.2-1b", 16, 128256, None, None),
    "qwen2.5-0.5b-text": ("qwen2.5-0.5b", 24, 151936, "qwen2_5", None),
    "llama-3.2-1b-text": ("llama-3.2-1b", 16, 128256, "llama3", None)}
ROWS, LENGTH, STEPS, RATE, CLIP, NEW_TOKENS, DAMPING = 2, 32, 2, 1e-3, 1.0, 8, 10.0
TALKS = [
    [("user", "Who wrote \u201cThe Tide at Kuwait\u201d?"),
     ("assistant", "Basil Mahfouz Al-Kuwaiti, born on 08/09/1956 \U0001F999.")],
    [("user", "Où est né l'auteur ?"), ("assistant", "À Koweït.\n"), ("user", "Et quand ?"), ("assistant", "En 1956.")]]
PROMPT = "The author was born in"
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
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager"),
                           LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, r=RANK, lora_alpha=2 * RANK,
                                      target_modules=TARGETS)).eval()
    named = dict(sorted((n, p) for n, p in model.named_parameters() if p.requires_grad))
    with torch.no_grad():
        for i, p in enumerate(named.values()):
            p.copy_(numbers(ADAPTER_SEED + i, tuple(p.shape), SCALE))
    return model, named


def random_rows(vocabulary):
    """Rows of random tokens, of which all but the first three are learned, and the prompt."""
    rows = [[int(b % vocabulary) for b in bits(ROW_SEED + i, LENGTH).tolist()] for i in range(ROWS)]
    return [(ids, [i >= 3 for i in range(LENGTH)]) for ids in rows], rows[0][:LENGTH // 2]


def talked_rows(tokenizer):
    """The conversations; what each generation prompt asks for is learned, to the end of what the template renders through
    that turn, as far as the whole conversation says the same: some end with a generation prompt, asked or not."""
    rows = []
    for talk in TALKS:
        messages = [{"role": role, "content": text} for role, text in talk]
        render = lambda upto, ask: tokenizer.apply_chat_template(
            messages[:upto], add_generation_prompt=ask, tokenize=True, return_dict=False)
        ids = render(len(messages), False)
        learned = [False] * len(ids)
        for turn in range(1, len(messages), 2):
            begin, through = len(render(turn, True)), render(turn + 1, False)
            end = next((i for i, pair in enumerate(zip(ids, through)) if pair[0] != pair[1]), len(through))
            learned[begin:end] = [True] * (end - begin)
        rows.append((ids, learned))
    return rows, tokenizer(PROMPT)["input_ids"]


def logits(model, row):
    """Of the learned tokens alone."""
    ids, learned = row
    at = [i - 1 for i in range(1, len(ids)) if learned[i]]
    hidden = model(input_ids=torch.tensor([ids]), use_cache=False, logits_to_keep=torch.tensor(at))
    return hidden.logits[0], torch.tensor([ids[i + 1] for i in at])


def losses(model, rows):
    return torch.stack([torch.nn.functional.cross_entropy(*logits(model, row)) for row in rows])


def gauss_newton(model, named, rows, v):
    """Of the mean over rows of the mean over their tokens: the logits' change, softmax's second derivative, and back."""
    total = [torch.zeros_like(p) for p in named.values()]
    for row in rows:
        def of(*values):
            at = dict(zip(named, values))
            return logits(lambda **inputs: torch.func.functional_call(model, at, (), inputs), row)[0]
        point = tuple(p.detach() for p in named.values())
        z, dz = torch.func.jvp(of, point, tuple(v))
        p = torch.softmax(z, -1)
        u = p * (dz - (p * dz).sum(-1, keepdim=True)) / len(z)
        _, back = torch.func.vjp(of, *point)
        for t, g in zip(total, back(u)):
            t += g.detach() / len(rows)
    return total


def dot(a, b):
    return sum((x.double() * y.double()).sum().item() for x, y in zip(a, b))


def influence(model, named, rows):
    """Row q, column i: the change of row q's loss in nats if row i were removed."""
    gradients = [torch.autograd.grad(losses(model, [row])[0], list(named.values())) for row in rows]
    scores = []
    for b in gradients:
        x, r = [torch.zeros_like(t) for t in b], list(b)
        p, rr = r, dot(b, b)
        for _ in range(30):
            ap = [c + DAMPING * t for c, t in zip(gauss_newton(model, named, rows, p), p)]
            alpha = rr / dot(p, ap)
            x = [t + alpha * d for t, d in zip(x, p)]
            r = [t - alpha * d for t, d in zip(r, ap)]
            before, rr = rr, dot(r, r)
            if rr < 1e-10 * dot(b, b):
                break
            p = [t + rr / before * d for t, d in zip(r, p)]
        scores.append([dot(x, g) / len(rows) for g in gradients])
    return scores


def golden(config, tokenizer):
    with tempfile.TemporaryDirectory() as base:
        write_model(config, Path(base))
        model, named = adapted(base)
    rows, prompt = talked_rows(tokenizer) if tokenizer else random_rows(config["vocab_size"])
    with torch.no_grad():
        found = {"config": config, "losses": losses(model, rows).tolist()}
        prompt = torch.tensor([prompt])
        written = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                                 max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, pad_token_id=0)
        found["generated"] = written[0, prompt.shape[1]:].tolist()
    found["influence"] = influence(model, named, rows)
    optimizer = torch.optim.AdamW(named.values(), lr=RATE, weight_decay=0.0)
    found["steps"] = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = losses(model, rows).mean()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(named.values()), CLIP)
        optimizer.step()
        found["steps"].append({"loss": loss.item(), "gradient_norm": norm.item()})
    if tokenizer:
        found["talks"] = [{"id": f"r{i}", "messages": [{"role": role, "content": text} for role, text in talk]}
                          for i, talk in enumerate(TALKS)]
        found["prompt"] = PROMPT
        found["prompt_ids"] = prompt[0].tolist()
    return found


def main(tokenizers, out, *chosen):
    templates = {t["name"]: t["template"] for t in json.loads((HERE / "../chat/chat.json").read_text())["templates"]}
    for name in chosen or SIZES:
        shape, layers, vocabulary, folder, template = SIZES[name]
        tokenizer = None
        if folder:
            where = (HERE / "../tokenizers" if template else Path(tokenizers)) / folder
            tokenizer = AutoTokenizer.from_pretrained(where)
            tokenizer.chat_template = templates.get(template, tokenizer.chat_template)
        found = golden({**SHAPES[shape], "num_hidden_layers": layers, "vocab_size": vocabulary}, tokenizer)
        if folder:
            found = {"tokenizer": folder, "template": template, **found}
        whole = json.loads(Path(out).read_text()) if Path(out).exists() else {}
        Path(out).write_text(json.dumps({**whole, name: found}, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
