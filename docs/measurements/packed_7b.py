#!/usr/bin/env python3
"""A random 7B model in 4 bits is trained and unlearns under a limit of memory; the table in this folder's notes.

    packed_7b.py FOLDER [--rows 2] [--length 256] [--steps 2] [--sketch-rows 16] [--limit 8G] [--layers 32]
                 [--lethe bin/lethe]

FOLDER keeps the file between runs: a GGUF of Llama 2 7B's sizes, every matrix Q4_K but the head, which is Q6_K, as
llama.cpp packs them; all bits of the quants random, scales so that weights deviate by 0.02. Each line of the output is a
JSON object: the work, its seconds, the process's peak resident memory, what of it is no mapped file (weights, activations,
Java), and the commands' own figures. Every work is a process of its own under LETHE_MEMORY_LIMIT. Needs numpy and Linux.
"""
import argparse
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import numpy

HIDDEN, INTERMEDIATE, HEADS, VOCABULARY = 4096, 11008, 32, 32000
DEVIATION = 0.02
F32, Q4_K, Q6_K = 0, 12, 14
# type: (numbers and bytes of a block, places of its scales, the deviation of a random block of scale one)
BLOCKS = {Q4_K: (256, 144, [0, 2], 300), Q6_K: (256, 210, [208], 1370)}
MINIMUM = 7.5  # how many scales of a Q4_K block's quants one scale of its minima is, so that the mean is 0
ALIGNMENT = 32


def tensors(layers):
    """Name: (shape as PyTorch has it, type)."""
    found = {"token_embd.weight": ((VOCABULARY, HIDDEN), Q4_K)}
    for layer in range(layers):
        of = f"blk.{layer}."
        found[of + "attn_norm.weight"] = found[of + "ffn_norm.weight"] = ((HIDDEN,), F32)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            found[of + name + ".weight"] = ((HIDDEN, HIDDEN), Q4_K)
        for name in ("ffn_gate", "ffn_up"):
            found[of + name + ".weight"] = ((INTERMEDIATE, HIDDEN), Q4_K)
        found[of + "ffn_down.weight"] = ((HIDDEN, INTERMEDIATE), Q4_K)
    found["output_norm.weight"] = ((HIDDEN,), F32)
    found["output.weight"] = ((VOCABULARY, HIDDEN), Q6_K)
    return found


def size(shape, kind):
    count = int(numpy.prod(shape))
    return 4 * count if kind == F32 else count // BLOCKS[kind][0] * BLOCKS[kind][1]


def contents(shape, kind, random):
    if kind == F32:
        return numpy.ones(shape, numpy.float32).tobytes()
    _, width, scales, spread = BLOCKS[kind]
    blocks = random.integers(0, 256, (size(shape, kind) // width, width), numpy.uint8)
    for place, scale in zip(scales, (1, MINIMUM)):
        blocks[:, place:place + 2] = numpy.frombuffer(numpy.float16(scale * DEVIATION / spread).tobytes(), numpy.uint8)
    return blocks.tobytes()


def string(text):
    return len(text).to_bytes(8, "little") + text.encode()


def metadata(key, value):
    """A string, an unsigned number of 32 bits or a float32, after its type."""
    kinds = {str: (8, string), int: (4, lambda v: v.to_bytes(4, "little")), float: (6, lambda v: numpy.float32(v).tobytes())}
    kind, encode = kinds[type(value)]
    return string(key) + kind.to_bytes(4, "little") + encode(value)


def write_model(path, layers):
    fields = {
        "general.architecture": "llama", "llama.block_count": layers, "llama.context_length": 4096,
        "llama.embedding_length": HIDDEN, "llama.feed_forward_length": INTERMEDIATE, "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": HEADS, "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": HIDDEN // HEADS, "llama.vocab_size": VOCABULARY}
    found = tensors(layers)
    head = b"GGUF" + (3).to_bytes(4, "little") + len(found).to_bytes(8, "little") + len(fields).to_bytes(8, "little")
    head += b"".join(metadata(key, value) for key, value in fields.items())
    offset = 0
    for name, (shape, kind) in found.items():
        head += string(name) + len(shape).to_bytes(4, "little")
        head += b"".join(n.to_bytes(8, "little") for n in reversed(shape))
        head += kind.to_bytes(4, "little") + offset.to_bytes(8, "little")
        offset += -(-size(shape, kind) // ALIGNMENT) * ALIGNMENT
    random = numpy.random.default_rng(7)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        file.write(head)
        for shape, kind in found.values():
            file.write(bytes(-file.tell() % ALIGNMENT))
            file.write(contents(shape, kind, random))
    unfinished.rename(path)


def write_rows(path, rows, length):
    random = numpy.random.default_rng(8)
    lines = []
    for row in range(rows):
        ids = random.integers(3, VOCABULARY, length).tolist()
        lines.append(json.dumps({"id": f"r{row}", "input_ids": ids, "labels": ids}) + "\n")
    path.write_text("".join(lines))


def status(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines if line.endswith(" kB")}


def watch(process, most):
    """Peaks, until the process ends."""
    while process.poll() is None:
        try:
            now = status(process.pid)
            most["peak_bytes"] = max(most["peak_bytes"], now.get("VmHWM", 0))
            most["peak_bytes_without_files"] = max(most["peak_bytes_without_files"], now.get("RssAnon", 0))
        except OSError:
            return
        time.sleep(0.2)


def work(args, name, *options):
    command = [args.lethe, *map(str, options), "--device", "cpu", "--json"]
    most = {"peak_bytes": 0, "peak_bytes_without_files": 0}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "LETHE_MEMORY_LIMIT": args.limit})
    watcher = threading.Thread(target=watch, args=(process, most))
    watcher.start()
    output, errors = process.communicate()
    watcher.join()
    line = {"work": name, "exit": process.returncode, "seconds": round(time.perf_counter() - start, 1), **most}
    line["said"] = (output if process.returncode == 0 else errors).strip()[-2000:]
    print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--sketch-rows", type=int, default=16)
    parser.add_argument("--limit", default="8G")
    parser.add_argument("--lethe", default=str(Path(__file__).parents[2] / "bin" / "lethe"))
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    model = args.folder / f"llama-2-7b-{args.layers}.gguf"
    if not model.exists():
        write_model(model, args.layers)
    rows = args.folder / "rows.jsonl"
    write_rows(rows, args.rows, args.length)
    adapter = args.folder / "adapter"
    outs = [adapter, args.folder / "recorded", args.folder / "influence"]
    subprocess.run(["rm", "-rf", *outs], check=True)
    of = ["--model", model, "--data", rows]
    forget = [*of, "--adapter", adapter, "--forget", "r0"]
    work(args, "train", "train", *of, "--out", adapter, "--rank", 8, "--targets", "q_proj,v_proj", "--batch", 1,
         "--max-steps", args.steps, "--lr", 1e-3)
    work(args, "prepare", "prepare", *of, "--adapter", adapter, "--sketch-rows", args.sketch_rows)
    work(args, "recorded", "unlearn", *forget, "--method", "recorded", "--out", outs[1], "--force")
    work(args, "influence", "unlearn", *forget, "--method", "influence", "--damping", 1, "--max-iterations", 2,
         "--certificate-rows", "none", "--out", outs[2])


if __name__ == "__main__":
    main()
