#!/usr/bin/env python3
"""The table of real sizes in docs/performance.md: time and peak memory of Lethe and of transformers with PEFT.

    real_sizes.py prepare FOLDER     makes random models, adapters and rows (4 GB, a minute)
    real_sizes.py measure FOLDER     measures, and writes FOLDER/real_sizes.jsonl and FOLDER/real_sizes.md

Options of both: --shape NAME (several times; default: the two real ones), --rows 2, --length 128; of measure:
--only lethe|torch, --lethe bin/lethe. On two quiet cores measure takes some six minutes.

Every work is a process of its own, in float32 on all processors, once. Peak memory is the process's largest resident
set, mapped files included. Lethe's seconds of a work are those of its process less those of "load", which evaluates a
row of two tokens; PyTorch's are taken inside, after its import. PyTorch's ways are what people usually run:
cross-entropy of the whole logits, autograd, a loop for per-sample gradients, double backward with eager attention for
the Hessian product. Unlearning has no counterpart there. Needs torch, transformers, peft, safetensors.
"""
import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

SHAPES = {
    "qwen2.5-0.5b": {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
        "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936,
        "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": True,
        "hidden_act": "silu", "use_sliding_window": False, "torch_dtype": "bfloat16"},
    "llama-3.2-1b": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192,
        "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64,
        "vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                         "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "tie_word_embeddings": True, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
        "torch_dtype": "bfloat16"},
    # to try this script
    "tiny": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 160,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 500,
        "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True,
        "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "torch_dtype": "bfloat16"},
}
TARGETS = "q_proj,v_proj"
WORKS = ["load", "evaluate", "generate", "train", "per_sample", "hvp", "unlearn"]
NEW_TOKENS = 16
TITLES = {
    "load": "load, first row", "evaluate": "losses", "generate": f"generate {NEW_TOKENS} tokens",
    "train": "a training step", "gradient": "gradient", "per_sample": "per-sample gradients", "hvp": "Hessian product",
    "unlearn": "unlearn, 2 iterations",
}


def files(args, shape):
    base = args.folder / shape
    rows = args.folder / f"rows-{shape}-{args.rows}x{args.length}.jsonl"
    return base, args.folder / (shape + "-adapter"), rows, args.folder / f"row-{shape}.jsonl"


def prepare(args, shape):
    """The model, the rows and their adapter, unless they are there."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM
    base, adapter, rows, one = files(args, shape)
    if not (base / "model.safetensors").exists():
        base.mkdir(parents=True, exist_ok=True)
        (base / "config.json").write_text(json.dumps(SHAPES[shape]))
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base), dtype=torch.bfloat16)
        model.save_pretrained(base)
    if not adapter.exists():
        torch.manual_seed(1)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
        model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=TARGETS.split(","),
                                                 task_type="CAUSAL_LM"), autocast_adapter_dtype=True)
        for name, p in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(p, std=0.02)
        model.save_pretrained(adapter)
        (adapter / "README.md").unlink(missing_ok=True)
    generator = random.Random(2)
    lines = []
    for i in range(args.rows):
        ids = [generator.randrange(SHAPES[shape]["vocab_size"]) for _ in range(args.length)]
        lines.append(json.dumps({"id": f"r{i}", "input_ids": ids, "labels": ids}) + "\n")
    rows.write_text("".join(lines))
    one.write_text(json.dumps({"id": "r", "input_ids": [1, 2], "labels": [1, 2]}) + "\n")


def lethe_commands(args, base, adapter, rows, one):
    out = args.folder / "out"
    subprocess.run(["rm", "-rf", str(out)], check=True)
    out.mkdir()
    vector = out / "gradient.safetensors"
    model = ["--model", base]
    adapted = model + ["--adapter", adapter, "--data", rows]
    ids = ",".join(map(str, json.loads(rows.read_text().splitlines()[0])["input_ids"]))
    return [
        ("load", ["evaluate", *model, "--data", one]),
        ("evaluate", ["evaluate", *adapted]),
        ("generate", ["generate", *model, "--adapter", adapter, "--prompt-ids", ids, "--ignore-eos",
                      "--max-new-tokens", NEW_TOKENS]),
        ("train", ["train", *model, "--data", rows, "--init-adapter", adapter, "--batch", args.rows, "--max-steps", 1,
                   "--trajectory", "off", "--out", out / "trained"]),
        ("gradient", ["gradients", *adapted, "--out", vector]),
        ("per_sample", ["gradients", *adapted, "--per-sample", "--out", out / "each.safetensors"]),
        ("hvp", ["hvp", *adapted, "--vector", vector, "--curvature", "hessian", "--out", out / "product.safetensors"]),
        ("unlearn", ["unlearn", *adapted, "--method", "influence", "--damping", "1", "--forget", "r0",
                     "--max-iterations", 2, "--certificate-rows", "none", "--out", out / "unlearned"]),
    ]


def measured(side, shape, work, command):
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, errors = process.communicate()
    seconds = time.perf_counter() - start
    line = {"side": side, "shape": shape, "work": work, "process_seconds": round(seconds, 2)}
    if process.returncode:
        line["failed"] = errors.strip().splitlines()[-1:]
    return line, output


def timed(command):
    """The command under a wrapper that prints its peak memory: the only child of this interpreter."""
    code = ("import resource,subprocess,sys; r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss*1024); sys.exit(r.returncode)")
    return [sys.executable, "-c", code, *map(str, command)]


def lethe(args, shape):
    for work, command in lethe_commands(args, *files(args, shape)):
        line, output = measured("lethe", shape, work, timed([args.lethe, *command]))
        line["peak_bytes"] = int(output.strip().splitlines()[-1])
        whole = line["process_seconds"]
        if work == "load":
            loading = whole
        line["work_seconds"] = whole if work == "load" else round(whole - loading, 2)
        yield line


def torch_work(args, base, adapter, rows, work):
    """One work in this process; prints seconds of loading and of the work, and the peak."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM
    start = time.perf_counter()
    attention = "eager" if work == "hvp" else "sdpa"
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation=attention)
    samples = [torch.tensor(json.loads(line)["input_ids"]) for line in rows.read_text().splitlines()]
    batch = torch.stack(samples)
    loaded = time.perf_counter()
    if work != "load":
        model = PeftModel.from_pretrained(model, adapter, is_trainable=True)
        lora = [p for p in model.parameters() if p.requires_grad]
    if work == "evaluate":
        with torch.no_grad():
            model(input_ids=batch, labels=batch)
    elif work == "generate":
        model.generate(input_ids=batch[:1], max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False)
    elif work == "train":
        optimizer = torch.optim.AdamW(lora)
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
    elif work == "per_sample":
        kept = [torch.autograd.grad(model(input_ids=x[None], labels=x[None]).loss, lora) for x in samples]
        assert len(kept) == len(samples)
    elif work == "hvp":
        gradient = torch.autograd.grad(model(input_ids=batch, labels=batch).loss, lora, create_graph=True)
        torch.autograd.grad(sum((g * g.detach()).sum() for g in gradient), lora)
    done = time.perf_counter()
    print(json.dumps({"load_seconds": round(loaded - start, 2), "work_seconds": round(done - loaded, 2),
                      "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


def peers(args, shape):
    for work in WORKS[:-1]:
        command = [sys.executable, __file__, "work", str(args.folder), "--shape", shape, "--rows", args.rows,
                   "--length", args.length, "--work", work]
        line, output = measured("torch", shape, work, command)
        if "failed" not in line:
            line.update(json.loads(output.strip().splitlines()[-1]))
            if work == "load":
                line["work_seconds"] = line["load_seconds"]
        yield line


def cell(line, field, unit, digits):
    return f"{line[field] / unit:.{digits}f}" if field in line else ""


def table(lines):
    """Markdown: a row for each work of each shape."""
    by = {(line["shape"], line["work"], line["side"]): line for line in lines}
    rows = ["| shape | work | Lethe, s | PyTorch, s | Lethe, GB | PyTorch, GB |", "|---|---|---|---|---|---|"]
    for shape in dict.fromkeys(line["shape"] for line in lines):
        for work, title in TITLES.items():
            sides = [by.get((shape, work, side), {}) for side in ("lethe", "torch")]
            cells = ["failed" if "failed" in side else cell(side, "work_seconds", 1, 1) for side in sides]
            cells += [cell(side, "peak_bytes", 1e9, 2) for side in sides]
            if any(sides):
                rows.append(f"| {shape} | {title} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def read_once(folder):
    """So that the first process finds the files where the later ones do, in the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb", buffering=0) as file:
                while file.read(1 << 24):
                    pass


def measure(args):
    lines = []
    for shape in args.shape:
        read_once(files(args, shape)[0])
        for side in [lethe] * (args.only != "torch") + [peers] * (args.only != "lethe"):
            for line in side(args, shape):
                print(json.dumps(line), flush=True)
                lines.append(line)
    (args.folder / "real_sizes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (args.folder / "real_sizes.md").write_text(table(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["prepare", "measure", "work"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=SHAPES, action="append")
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--only", choices=["lethe", "torch"])
    parser.add_argument("--lethe", default=str(Path(__file__).parents[2] / "bin" / "lethe"))
    parser.add_argument("--work", help="for the script's own use")
    options = parser.parse_args()
    options.shape = options.shape or ["qwen2.5-0.5b", "llama-3.2-1b"]
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if options.what == "prepare":
        for each in options.shape:
            prepare(options, each)
    elif options.what == "measure":
        measure(options)
    else:
        torch_work(options, *files(options, options.shape[0])[:3], options.work)
