"""Trains a LoRA adapter with PEFT and leaves the trajectory that `lethe unlearn --method recorded` needs.

A callback of the Trainer will not do: the gradient is needed before clipping, together with the rows that it came
from. Dropout must be 0. Usage: python peft_trajectory.py MODEL ROWS.jsonl OUT, rows of id, input_ids and labels.
"""
import hashlib, hmac, json, pathlib, random, secrets, sys
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

model_dir, data, out = sys.argv[1:4]
rate, epochs, batch, clip, seed = 1e-3, 3, 8, 1.0, 1
rows = [json.loads(line) for line in open(data)]
torch.manual_seed(seed)
config = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
model = get_peft_model(AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32), config)
named = {n.replace(".default", ""): p for n, p in model.named_parameters() if p.requires_grad}
optimizer = torch.optim.AdamW(named.values(), lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
order = []
for _ in range(epochs):
    epoch = list(range(len(rows)))
    random.Random(seed + len(order)).shuffle(epoch)
    order += [epoch[i : i + batch] for i in range(0, len(rows), batch)]
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 - k / len(order))

folder = pathlib.Path(out, "lethe_trajectory")
folder.mkdir(parents=True)
save_file({n: p.detach().clone() for n, p in named.items()}, folder / "initial.safetensors")
key = secrets.token_bytes(32)


def row_hash(row):  # HMAC-SHA256 of the token ids, then the labels, as little-endian int32
    content = torch.tensor(row["input_ids"] + row["labels"], dtype=torch.int32).numpy().tobytes()
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def loss_of(row):  # mean over the row's supervised tokens
    ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
    return model(input_ids=ids, labels=labels).loss


with open(folder / "gradients.bin", "wb") as gradients, open(folder / "steps.jsonl", "w") as steps:
    for places in order:
        optimizer.zero_grad()
        for i in places:
            (loss_of(rows[i]) / len(places)).backward()
        flat = torch.cat([p.grad.flatten() for p in named.values()])
        gradients.write(flat.to(torch.bfloat16).view(torch.int16).numpy().tobytes())  # before clipping
        steps.write(json.dumps({"rate": optimizer.param_groups[0]["lr"], "rows": places}) + "\n")
        torch.nn.utils.clip_grad_norm_(named.values(), clip)
        optimizer.step()
        schedule.step()

model.save_pretrained(out)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def model_sha256(files):  # names and contents, each behind its length as eight big-endian bytes
    parts = [part for f in files for part in (f.name.encode(), f.read_bytes())]
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).hexdigest()


base, offset, layout = pathlib.Path(model_dir), 0, []
for name, p in named.items():
    layout.append({"name": name, "shape": list(p.shape), "offset": offset})
    offset += p.numel()
with open(folder / "rows.jsonl", "w") as file:
    file.writelines(json.dumps({"id": str(row["id"]), "hash": row_hash(row)}) + "\n" for row in rows)
header = {
    "format": "lethe-trajectory/1", "trained_by": "PEFT", "steps": len(order), "parameters": offset, "dtype": "bf16",
    "options": {"optimizer": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0, "clip": clip},
    "prompt_form": "automatic", "model_sha256": model_sha256([base / "config.json", base / "model.safetensors"]),
    "adapter_config_sha256": sha256(pathlib.Path(out, "adapter_config.json")),
    "adapter_sha256": sha256(pathlib.Path(out, "adapter_model.safetensors")), "row_key": key.hex(), "layout": layout,
}
json.dump(header, open(folder / "trajectory.json", "w"))
