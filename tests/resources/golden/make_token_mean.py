#!/usr/bin/env python3
"""Writes token_mean.json: a few steps of AdamW on the mean loss over tokens, as PEFT's trainers take them.

    make_token_mean.py OUT    OUT is tests/resources/golden

The model and adapter are those of OUT/untied, in float64. Each step is a padded batch of all its rows, whose loss is what
transformers' model returns for `labels`: the mean over all supervised tokens of the batch.
"""
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

STEPS = 4
RATE = 1e-2

out = Path(sys.argv[1])
folder = out / "untied"
rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
model = PeftModel.from_pretrained(model, folder / "adapter", is_trainable=True, autocast_adapter_dtype=False).double()
lora = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(lora, lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
losses, norms = [], []
for _ in range(STEPS):
    chosen = rows
    longest = max(len(r["input_ids"]) for r in chosen)

    def padded(field, value):
        return torch.tensor([r[field] + [value] * (longest - len(r[field])) for r in chosen])

    mask = torch.tensor([[1] * len(r["input_ids"]) + [0] * (longest - len(r["input_ids"])) for r in chosen])
    loss = model(input_ids=padded("input_ids", 0), attention_mask=mask, labels=padded("labels", -100)).loss
    optimizer.zero_grad()
    loss.backward()
    losses.append(loss.item())
    norms.append(torch.sqrt(sum((p.grad ** 2).sum() for p in lora)).item())
    optimizer.step()
end = torch.sqrt(sum((p ** 2).sum() for p in lora)).item()
tokens = [sum(t != -100 for t in r["labels"][1:]) for r in rows]
(out / "token_mean.json").write_text(json.dumps(
    {"steps": STEPS, "rate": RATE, "weight_decay": 0.01, "tokens": tokens, "losses": losses, "gradient_norms": norms,
     "parameter_norm": end}, indent=1) + "\n")
