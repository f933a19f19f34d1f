"""Writes declared.json: what transformers makes of texts where several files declare tokens, and of post-processors.

    python make_declared.py

Each case starts from a folder (../tiny_tokenizer or one of these), replaces parts of tokenizer.json and files beside it.
Written with transformers 5.17.0, tokenizers 0.23.2.
"""

import json
import tempfile
from pathlib import Path

from transformers import AutoTokenizer

HERE = Path(__file__).parent
TINY = "../tiny_tokenizer"
TEXTS = ["Lily went<|im_end|> to the <s> park</s> .", " Once<|im_end|>upon", "a<|im_end|><|im_end|> b [X] c[X]", "caf\u00e9 <think> e\u0301", ""]
PLAIN = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "tokenizer_class": "PreTrainedTokenizerFast"}


def token(content, **flags):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True} | flags


BASE = {"0": token("<unk>"), "1": token("<s>"), "2": token("</s>")}
CONFIG, MAP, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"


def template(*pieces):
    ids = {"<s>": 1, "</s>": 2}
    return {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": p, "type_id": 0}} if p != "A" else
                                                     {"Sequence": {"id": "A", "type_id": 0}} for p in pieces],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {p: {"id": p, "ids": [ids[p]], "tokens": [p]} for p in pieces if p != "A"}}


CASES = [
    ("added_tokens_decoder", TINY, {}, {CONFIG: PLAIN | {"added_tokens_decoder": BASE | {"512": token("<|im_end|>")}}}),
    ("a decoder's tokens that take white space along", TINY, {},
     {CONFIG: PLAIN | {"added_tokens_decoder": BASE | {"512": token("<|im_end|>", rstrip=True, lstrip=True), "513": token("[X]", special=False)}}}),
    ("additional_special_tokens", TINY, {}, {CONFIG: PLAIN | {"additional_special_tokens": ["<|im_end|>", "[X]"]}}),
    ("extra_special_tokens as a list", TINY, {}, {CONFIG: PLAIN | {"extra_special_tokens": ["[X]", "<|im_end|>"]}}),
    ("extra_special_tokens as an object", TINY, {}, {CONFIG: PLAIN | {"extra_special_tokens": {"x_token": "[X]"}}}),
    ("a named token of the model's own", TINY, {}, {CONFIG: PLAIN | {"image_token": "<|im_end|>"}}),
    ("a padding token that is new", TINY, {}, {CONFIG: PLAIN | {"pad_token": "[X]"}}),
    ("special_tokens_map.json", TINY, {}, {CONFIG: PLAIN, MAP: {"eos_token": "</s>", "additional_special_tokens": ["<|im_end|>"]}}),
    ("a map's object", TINY, {}, {CONFIG: PLAIN, MAP: {"pad_token": token("[X]", lstrip=True)}}),
    ("a map counts for nothing beside a decoder", TINY, {},
     {CONFIG: PLAIN | {"added_tokens_decoder": BASE}, MAP: {"additional_special_tokens": ["<|im_end|>"], "pad_token": "[X]"}}),
    ("added_tokens.json", TINY, {}, {CONFIG: PLAIN, ADDED: {"<|im_end|>": 512, "[X]": 513}}),
    ("added_tokens.json and names", TINY, {}, {CONFIG: PLAIN | {"additional_special_tokens": ["[X]"]}, ADDED: {"[X]": 512}}),
    ("added_tokens.json counts for nothing beside a decoder", TINY, {},
     {CONFIG: PLAIN | {"added_tokens_decoder": BASE}, ADDED: {"<|im_end|>": 512}}),
    ("no configuration", TINY, {}, {}),
    ("end by template", TINY, {"post_processor": template("<s>", "A", "</s>")}, {CONFIG: PLAIN}),
    ("only end by template", TINY, {"post_processor": template("A", "</s>")}, {CONFIG: PLAIN}),
    ("two before", TINY, {"post_processor": template("<s>", "</s>", "A")}, {CONFIG: PLAIN}),
    ("Bert", TINY, {"post_processor": {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]}}, {CONFIG: PLAIN}),
    ("Roberta", TINY, {"post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True,
                                          "add_prefix_space": True}}, {CONFIG: PLAIN}),
    ("a sequence", TINY, {"post_processor": {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, template("<s>", "A")]}}, {CONFIG: PLAIN}),
    ("flags count for nothing", TINY, {"post_processor": None}, {CONFIG: PLAIN | {"add_bos_token": True, "add_eos_token": True}}),
    ("an end that is not wanted by the flag", TINY, {"post_processor": template("<s>", "A", "</s>")}, {CONFIG: PLAIN | {"add_eos_token": False}}),
    ("LlamaTokenizer", TINY, {}, {CONFIG: PLAIN | {"tokenizer_class": "LlamaTokenizer"}}),
    ("LlamaTokenizer, legacy", TINY, {}, {CONFIG: PLAIN | {"tokenizer_class": "LlamaTokenizerFast", "legacy": True}}),
    ("LlamaTokenizer without a first space", TINY, {}, {CONFIG: PLAIN | {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": False}}),
    ("LlamaTokenizer and a decoder", TINY, {},
     {CONFIG: {"tokenizer_class": "LlamaTokenizer", "added_tokens_decoder": BASE | {"512": token("<|im_end|>")}}}),
    ("LlamaTokenizer of a Mistral model", TINY, {}, {CONFIG: PLAIN | {"tokenizer_class": "LlamaTokenizer"}, "config.json": {"model_type": "mistral"}}),
    ("LlamaTokenizer of a Phi-3 model", TINY, {}, {CONFIG: PLAIN | {"tokenizer_class": "LlamaTokenizer"}, "config.json": {"model_type": "phi3"}}),
    ("Qwen2Tokenizer", "qwen3", {}, {CONFIG: {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>"}}),
    ("Qwen2Tokenizer with a first space", "qwen3", {}, {CONFIG: {"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": True}}),
    ("a Qwen2 model whose class is another", "qwen3", {}, {CONFIG: {"tokenizer_class": "LlamaTokenizer"}, "config.json": {"model_type": "qwen2"}}),
    ("a Qwen3 model without a class", "qwen3", {"normalizer": None}, {CONFIG: {"eos_token": "<|im_end|>"}, "config.json": {"model_type": "qwen3"}}),
    ("GPT2Tokenizer", "gpt2", {}, {CONFIG: {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True, "additional_special_tokens": ["<|im_end|>"]}}),
    ("GemmaTokenizer", "gemma3", {}, {CONFIG: {"tokenizer_class": "GemmaTokenizer", "additional_special_tokens": ["<|im_end|>"]}}),
]


def write(folder, start, parts, files):
    tokenizer = json.loads((HERE / start / "tokenizer.json").read_text()) | parts
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))


def main():
    results = []
    for name, start, parts, files in CASES:
        with tempfile.TemporaryDirectory() as temp:
            folder = Path(temp)
            write(folder, start, parts, files)
            tokenizer = AutoTokenizer.from_pretrained(folder)
            results.append({"name": name, "start": start, "parts": parts, "files": files,
                            "ids": [tokenizer(t)["input_ids"] for t in TEXTS]})
    (HERE / "declared.json").write_text(json.dumps({"texts": TEXTS, "cases": results}, separators=(",", ":")) + "\n")


main()
