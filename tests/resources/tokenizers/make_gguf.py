#!/usr/bin/env python3
"""Writes the tokenizers of some folders as GGUF metadata, as llama.cpp's convert_hf_to_gguf.py does: NAME.gguf beside NAME.

    make_gguf.py FOLDER

FOLDER holds llama3, qwen3 and gpt2: tests/resources/tokenizers itself, or the folder of real tokenizers that README.md
describes. Only byte-level BPE; GgufTokenizerTest compares what Lethe makes of the files with transformers' tokens.
"""
import json
import sys
from pathlib import Path

import gguf
from transformers import AutoTokenizer

PRE = {"llama3": ("llama", "llama-bpe"), "qwen3": ("qwen2", "qwen2"), "gpt2": ("gpt2", "gpt-2")}


def write(folder, architecture, pre):
    file = json.loads((folder / "tokenizer.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    vocabulary = {i: token for token, i in file["model"]["vocab"].items()}
    added = {token["id"]: token for token in file["added_tokens"]}
    for i, token in tokenizer.added_tokens_decoder.items():
        added.setdefault(i, {"content": token.content, "special": token.special})
    tokens, types = [], []
    for i in range(max(*vocabulary, *added) + 1):
        if i in added:
            tokens.append(added[i]["content"])
            types.append(gguf.TokenType.CONTROL if added[i]["special"] else gguf.TokenType.USER_DEFINED)
        elif i in vocabulary:
            tokens.append(vocabulary[i])
            types.append(gguf.TokenType.NORMAL)
        else:
            tokens.append(f"[PAD{i}]")
            types.append(gguf.TokenType.UNUSED)
    writer = gguf.GGUFWriter(folder.with_suffix(".gguf"), architecture)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in file["model"]["merges"]])
    around = tokenizer("")["input_ids"]
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    if tokenizer.eos_token_id is not None:
        writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_add_bos_token(around[:1] == [tokenizer.bos_token_id])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def main():
    for name, (architecture, pre) in PRE.items():
        write(Path(sys.argv[1]) / name, architecture, pre)


if __name__ == "__main__":
    main()
