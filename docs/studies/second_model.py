"""Makes what the second small model of the studies is trained from (studies/README.md).

    python3 second_model.py TOKENIZER TEXT OUT

writes OUT/random, a Llama of random weights with the tokenizer of the folder TOKENIZER, and OUT/shakespeare.jsonl, the
speeches of TEXT in rows of some 600 characters.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

CHANNELS, LAYERS, HEADS, KEY_HEADS, HEAD, INNER, TOKENS = 96, 4, 6, 3, 16, 256, 512
ROW = 600


def weights():
    random = np.random.default_rng(1)

    def matrix(out, into, deviation):
        return (deviation * random.standard_normal((out, into))).astype(np.float32)

    tensors = {
        "model.embed_tokens.weight": matrix(TOKENS, CHANNELS, 0.2),
        "model.norm.weight": np.ones(CHANNELS, np.float32),
    }
    shapes = {
        "self_attn.q_proj": (HEADS * HEAD, CHANNELS),
        "self_attn.k_proj": (KEY_HEADS * HEAD, CHANNELS),
        "self_attn.v_proj": (KEY_HEADS * HEAD, CHANNELS),
        "self_attn.o_proj": (CHANNELS, HEADS * HEAD),
        "mlp.gate_proj": (INNER, CHANNELS),
        "mlp.up_proj": (INNER, CHANNELS),
        "mlp.down_proj": (CHANNELS, INNER),
    }
    for layer in range(LAYERS):
        for name, (out, into) in shapes.items():
            tensors[f"model.layers.{layer}.{name}.weight"] = matrix(out, into, into**-0.5)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{layer}.{name}.weight"] = np.ones(CHANNELS, np.float32)
    return tensors


def config(like):
    sizes = {
        "hidden_size": CHANNELS,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS,
    }
    return json.dumps(json.loads(like.read_text()) | sizes, indent=1)


def rows(text):
    row = ""
    for speech in text.split("\n\n"):
        if row and len(row) + len(speech) > ROW:
            yield row
            row = ""
        row += speech[: 2 * ROW] + "\n\n"
    yield row


def main(tokenizer, text, out):
    folder = out / "random"
    folder.mkdir(parents=True)
    save_file(weights(), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(config(tokenizer / "config.json"))
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(tokenizer / name, folder / name)
    with open(out / "shakespeare.jsonl", "w") as lines:
        for row in rows(text.read_text()):
            speaker, _, speech = row.partition("\n")
            lines.write(json.dumps({"prompt": speaker + "\n", "response": speech.strip()}) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
