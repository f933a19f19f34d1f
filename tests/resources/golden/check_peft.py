#!/usr/bin/env python3
"""Loads an adapter, for instance one that Lethe wrote, in PEFT and evaluates rows with it.

    check_peft.py MODEL ADAPTER SAMPLES.jsonl [--float64] [--logits N]

Prints what `lethe evaluate` prints, one JSON object a row {"id", "loss", "tokens"} and the mean last, and, with
--logits, the first N logits of the last position of the first row. Rows hold input_ids and labels (-100 = not
supervised); they run one at a time, without padding. Fails when a tensor of the adapter is not used as stored or one
that the model needs is missing.
"""
import argparse
import json
from pathlib import Path

import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoModelForCausalLM


def load(model_folder, adapter_folder, dtype):
    base = AutoModelForCausalLM.from_pretrained(model_folder, dtype=dtype, attn_implementation="eager")
    model = PeftModel.from_pretrained(base, adapter_folder, autocast_adapter_dtype=False).to(dtype).eval()
    wanted = {n.replace(".modules_to_save", "").replace(".default", ""): p for n, p in model.named_parameters()
              if "lora_" in n or "modules_to_save" in n}
    wanted.update({n: p for n, p in model.named_parameters(remove_duplicate=False)
                   if n.removesuffix(".base_layer.weight").endswith(("embed_tokens", "lm_head")) and "base_layer" in n})
    with safe_open(Path(adapter_folder) / "adapter_model.safetensors", "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}
    if stored.keys() != wanted.keys():
        raise SystemExit(f"only in the file: {sorted(stored.keys() - wanted.keys())}; "
                         f"only in the model: {sorted(wanted.keys() - stored.keys())}")
    for name, tensor in stored.items():
        if not torch.equal(tensor.to(dtype), wanted[name]):
            raise SystemExit(f"PEFT did not load {name} as stored")
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("adapter")
    parser.add_argument("samples", type=Path)
    parser.add_argument("--float64", action="store_true", help="norms and softmax stay float32")
    parser.add_argument("--logits", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load(arguments.model, arguments.adapter, torch.float64 if arguments.float64 else torch.float32)
    rows = [json.loads(line) for line in arguments.samples.read_text().splitlines() if line.strip()]
    losses = []
    for number, row in enumerate(rows):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([row["input_ids"]]), use_cache=False).logits[0]
            targets = torch.tensor(row["labels"][1:])
            losses.append(torch.nn.functional.cross_entropy(logits[:-1], targets, ignore_index=-100).item())
        tokens = int((targets != -100).sum())
        print(json.dumps({"id": row.get("id", str(number)), "loss": losses[-1], "tokens": tokens}))
        if number == 0 and arguments.logits:
            print(json.dumps({"logits": logits[-1, :arguments.logits].tolist()}))
    print(json.dumps({"mean": sum(losses) / len(losses)}))


if __name__ == "__main__":
    main()
