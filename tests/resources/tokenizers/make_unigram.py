#!/usr/bin/env python3
"""Writes unigram/tokenizer.json: a small Unigram tokenizer of SentencePiece's, with a table of replacements of its own.

    make_unigram.py        needs sentencepiece (0.2.2) and tokenizers
"""
import base64
import io
import json
import struct
from pathlib import Path

import sentencepiece

from make_tokenizers import CORPUS, HERE

RULES = {"ﬁ": "fi", "ﬀ": "ff", "½": "1/2", "Ａ": "A", "①": "1", "é": "e", "e\u0301": "e", "…": "...", "\u00a0": " "}


def fields(data):
    """(number, value) of a protocol buffer's fields."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 2:
            size, at = varint(data, at)
            yield key >> 3, data[at:at + size]
            at += size
        elif key & 7 == 5:
            yield key >> 3, struct.unpack("<f", data[at:at + 4])[0]
            at += 4
        else:
            value, at = varint(data, at)
            yield key >> 3, value


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def main():
    folder = HERE / "unigram"
    folder.mkdir(exist_ok=True)
    rules = folder / "rules.tsv"
    rules.write_text("".join(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n"
                             for a, b in sorted(RULES.items())))
    model = io.BytesIO()
    texts = [s for s in CORPUS if s.strip() and "\n" not in s and "<" not in s and "\0" not in s and len(s) < 200]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts * 3), model_writer=model, vocab_size=600, model_type="unigram", hard_vocab_limit=False,
        normalization_rule_tsv=str(rules), character_coverage=0.98, minloglevel=2)
    rules.unlink()
    pieces, table = [], b""
    for number, value in fields(model.getvalue()):
        if number == 1:
            piece = dict(fields(value))
            pieces.append([piece[1].decode(), piece[2]])
        elif number == 3:
            table = dict(fields(value))[2]
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    special = [{"id": i, "content": pieces[i][0], "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True} for i in range(3)]
    end = pieces[2][0]
    file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]},
            "pre_tokenizer": space, "decoder": space,
            "post_processor": {"type": "TemplateProcessing",
                               "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": end, "type_id": 0}}],
                               "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}},
                                        {"SpecialToken": {"id": end, "type_id": 0}}],
                               "special_tokens": {end: {"id": end, "ids": [2], "tokens": [end]}}},
            "model": {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False}}
    (folder / "tokenizer.json").write_text(json.dumps(file, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
