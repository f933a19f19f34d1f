#!/usr/bin/env python3
"""Writes config_cases.json: what transformers makes of many spellings of config.json.

    python tests/resources/golden/config_cases/make_config_cases.py

Each case has the fields that are put over a small base, and, as transformers reads them back from a folder, the
rotary frequencies with the factor on cosines and sines, the window of each layer, heads and tokens. "refused" is the
field that Lethe's refusal must name, where two settings contradict each other or one is not computed.
"""
import json
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

BASE = {"hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 97}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
PHI = {"vocab_size": 97, "pad_token_id": 0}
LONG3 = {"short_factor": [1.0, 1.5, 2.0], "long_factor": [2.0, 3.0, 4.0]}
LONG = {"rope_type": "longrope", "short_factor": [1.0, 1.5, 2.0, 2.5], "long_factor": [2.0, 3.0, 4.0, 5.0]}
F, S = "full_attention", "sliding_attention"


def without(fields, name):
    return {key: value for key, value in fields.items() if key != name}


def rope(kind="llama", **fields):
    return {"model_type": kind, "num_key_value_heads": 2, **fields}


def window(kind, **fields):
    return {"model_type": kind, "num_key_value_heads": 2, **fields}


# name: (fields over BASE, the field that a refusal names or None)
CASES = {
    # rotary positions
    "plain": (rope(), None),
    "theta outside": (rope(rope_theta=500.0), None),
    "theta inside": (rope(rope_parameters={"rope_type": "default", "rope_theta": 700.0}), None),
    "theta in both places, equal": (
        rope(rope_theta=700.0, rope_parameters={"rope_type": "default", "rope_theta": 700.0}), None),
    "theta in both places, unequal": (
        rope(rope_theta=500.0, rope_parameters={"rope_type": "default", "rope_theta": 700.0}), "rope_theta"),
    "scaling without its own theta": (
        rope(rope_theta=500.0, rope_scaling={"rope_type": "linear", "factor": 4.0}), None),
    "scaling with a theta": (rope(rope_scaling={"rope_type": "linear", "factor": 4.0, "rope_theta": 90.0}), None),
    "the older key of the rule": (rope(rope_scaling={"type": "linear", "factor": 4.0}), None),
    "both keys of the rule, equal": (rope(rope_scaling={"type": "linear", "rope_type": "linear", "factor": 4}), None),
    "both keys of the rule, unequal": (
        rope(rope_scaling={"type": "dynamic", "rope_type": "linear", "factor": 4}), "type"),
    "both objects, equal": (rope(rope_scaling={"rope_type": "linear", "factor": 4.0}, rope_theta=500.0,
                                 rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}), None),
    "both objects, unequal": (rope(rope_scaling={**LLAMA3, "original_max_position_embeddings": 64}, rope_theta=500.0,
                                   rope_parameters={"rope_type": "default", "rope_theta": 500.0}), "rope_scaling"),
    "both objects, unequal theta": (
        rope(rope_scaling={"rope_type": "linear", "factor": 4.0},
             rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}), "rope_scaling"),
    "an empty scaling": (rope(rope_scaling={}, rope_parameters={"rope_type": "linear", "factor": 3.0}), None),
    "a null scaling": (rope(rope_scaling=None, rope_theta=500.0), None),
    "an unknown rule": (rope(rope_scaling={"rope_type": "su", "factor": 4.0}), "rope_type"),
    "a factor without a rule": (rope(rope_scaling={"factor": 4.0}), "factor"),
    "linear, a field of another rule": (
        rope(rope_scaling={"rope_type": "linear", "factor": 4.0, "low_freq_factor": 1.0}), "low_freq_factor"),
    "dynamic": (rope(rope_scaling={"rope_type": "dynamic", "factor": 4.0}, max_position_embeddings=128), None),
    "llama3": (rope(rope_scaling={**LLAMA3, "original_max_position_embeddings": 64}), None),
    "llama3 in the new place": (
        rope(rope_parameters={**LLAMA3, "original_max_position_embeddings": 64, "rope_theta": 300.0}), None),
    "llama3, original context outside": (rope(rope_scaling=LLAMA3, original_max_position_embeddings=64), None),
    "llama3, original context unequal": (
        rope(rope_scaling={**LLAMA3, "original_max_position_embeddings": 64}, original_max_position_embeddings=32),
        "original_max_position_embeddings"),
    "llama3, no original context": (rope(rope_scaling=LLAMA3, max_position_embeddings=256), None),
    "yarn": (rope(rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}), None),
    "yarn, no original context": (
        rope(rope_scaling={"type": "yarn", "factor": 4.0}, max_position_embeddings=512), None),
    "yarn in the new place": (rope(rope_parameters={
        "rope_type": "yarn", "factor": 2.5, "original_max_position_embeddings": 1024, "rope_theta": 900.0}), None),
    "yarn, attention factor": (rope(rope_scaling={
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "attention_factor": 0.75}), None),
    "yarn, betas": (rope(rope_scaling={"rope_type": "yarn", "factor": 4.0, "beta_fast": 8, "beta_slow": 2,
                                       "original_max_position_embeddings": 256}), None),
    "yarn, zero betas": (rope(rope_scaling={"rope_type": "yarn", "factor": 4.0, "beta_fast": 0, "beta_slow": 0,
                                            "original_max_position_embeddings": 256}), None),
    "yarn, both scales": (rope(rope_scaling={"rope_type": "yarn", "factor": 40.0, "mscale": 0.7, "mscale_all_dim": 1.0,
                                             "original_max_position_embeddings": 64}), None),
    "yarn, one scale": (rope(rope_scaling={"rope_type": "yarn", "factor": 40.0, "mscale": 0.7,
                                           "original_max_position_embeddings": 64}), None),
    "yarn, not truncated": (rope(rope_scaling={"rope_type": "yarn", "factor": 4.0, "truncate": False,
                                               "original_max_position_embeddings": 256}), None),
    "yarn, tiny context": (rope(rope_scaling={"rope_type": "yarn", "factor": 4.0,
                                              "original_max_position_embeddings": 4}), None),
    "yarn on qwen2": (rope("qwen2", rope_theta=1e6, rope_scaling={
        "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}), None),
    "yarn without factor": (rope(rope_scaling={"rope_type": "yarn"}), "factor"),
    "longrope": (rope(rope_scaling={**LONG, "original_max_position_embeddings": 64}, max_position_embeddings=256), None),
    "longrope, original context outside": (
        rope(rope_scaling=LONG, original_max_position_embeddings=64, max_position_embeddings=256), None),
    "longrope, no original context": (rope(rope_scaling=LONG, max_position_embeddings=256), None),
    "longrope, factor": (rope(rope_scaling={**LONG, "factor": 6.0, "original_max_position_embeddings": 64}), None),
    "longrope, attention factor": (
        rope(rope_scaling={**LONG, "attention_factor": 1.25, "original_max_position_embeddings": 64}), None),
    "half of each head": (rope(partial_rotary_factor=0.5), "partial_rotary_factor"),
    "half of each head, inside": (
        rope(rope_parameters={"rope_type": "default", "partial_rotary_factor": 0.5}), "partial_rotary_factor"),
    "phi3": (rope("phi3", **PHI), None),
    "phi3, three quarters of each head": (rope("phi3", **PHI, partial_rotary_factor=0.75), None),
    "phi3, a part inside": (rope("phi3", **PHI, rope_parameters={"rope_type": "default", "rope_theta": 90.0,
                                                               "partial_rotary_factor": 0.5}), None),
    "phi3, a part in both places, unequal": (rope("phi3", **PHI, partial_rotary_factor=0.5, rope_parameters={
        "rope_type": "default", "partial_rotary_factor": 0.75}), "partial_rotary_factor"),
    "phi3, a part in both places, equal": (rope("phi3", **PHI, partial_rotary_factor=0.75, rope_parameters={
        "rope_type": "default", "partial_rotary_factor": 0.75}), None),
    "phi3, a part rounded down": (rope("phi3", **PHI, partial_rotary_factor=0.6), None),
    "phi3, half a pair": (rope("phi3", **PHI, partial_rotary_factor=0.4), "partial_rotary_factor"),
    "phi3, longrope on a part": (rope(
        "phi3", **PHI, partial_rotary_factor=0.75, max_position_embeddings=8192, original_max_position_embeddings=64,
        rope_scaling={"type": "longrope", **LONG3}), None),
    "phi3, longrope, original context absent": (rope(
        "phi3", **PHI, partial_rotary_factor=0.75, max_position_embeddings=8192,
        rope_scaling={"type": "longrope", **LONG3}), None),
    "phi3, longrope, original context inside": (rope(
        "phi3", **PHI, partial_rotary_factor=0.75, max_position_embeddings=8192,
        rope_scaling={"type": "longrope", **LONG3, "original_max_position_embeddings": 64}),
        "original_max_position_embeddings"),
    "phi3, longrope, factors for whole heads": (rope(
        "phi3", **PHI, partial_rotary_factor=0.75, rope_scaling={**LONG, "type": "longrope"}), "short_factor"),
    "phi3, su": (rope("phi3", **PHI, max_position_embeddings=8192, original_max_position_embeddings=64,
                      rope_scaling={**without(LONG, "rope_type"), "type": "su", "original_max_position_embeddings": 64}), None),
    "phi3, yarn": (rope("phi3", **PHI, max_position_embeddings=8192, original_max_position_embeddings=64,
                        rope_scaling={**without(LONG, "rope_type"), "type": "yarn", "original_max_position_embeddings": 64}), None),
    "phi3, yarn without lists": (rope("phi3", **PHI, rope_scaling={"type": "yarn", "factor": 4.0}), "short_factor"),
    "phi3, linear": (rope("phi3", **PHI, rope_scaling={"type": "linear", "factor": 4.0}), "linear"),
    "phi3, fields of Phi-4-mini": (rope(
        "phi3", **PHI, full_attn_mod=1, interpolate_factor=1, lm_head_bias=False, mlp_bias=False), None),
    "phi3, full attention in every second layer": (rope("phi3", **PHI, full_attn_mod=2), "full_attn_mod"),
    "a whole head": (rope(partial_rotary_factor=1.0), None),
    "frequencies by layer": (
        rope(rope_parameters={F: {"rope_type": "default"}, S: {"rope_type": "default"}}), "rope_parameters"),
    # windows
    "mistral": (window("mistral"), None),
    "mistral, null": (window("mistral", sliding_window=None), None),
    "mistral, six": (window("mistral", sliding_window=6), None),
    "mistral, switched off": (window("mistral", sliding_window=6, use_sliding_window=False), "sliding window"),
    "mistral, no window, switched on": (
        window("mistral", sliding_window=None, use_sliding_window=True), "sliding window"),
    "mistral, layers mixed": (window("mistral", sliding_window=6, layer_types=[F, S, F, S], head_dim=8), None),
    "mistral, layers named, no window": (
        window("mistral", sliding_window=None, layer_types=[F, S, F, S]), "sliding window"),
    "mistral, layers all": (window("mistral", sliding_window=6, layer_types=[S] * 4, head_dim=8), None),
    "mistral, layers full, no window": (window("mistral", sliding_window=None, layer_types=[F] * 4, head_dim=8), None),
    "qwen2, off": (window("qwen2", sliding_window=6), None),
    "qwen2, on": (window("qwen2", sliding_window=6, use_sliding_window=True), None),
    "qwen2, upper": (window("qwen2", sliding_window=6, use_sliding_window=True, max_window_layers=2), None),
    "qwen2, on without a window": (
        window("qwen2", sliding_window=None, use_sliding_window=True, max_window_layers=2), None),
    "qwen2, the default window": (window("qwen2", use_sliding_window=True, max_window_layers=1), None),
    "qwen2, layers named": (
        window("qwen2", sliding_window=6, use_sliding_window=True, layer_types=[S, F, F, S]), None),
    "qwen2, layers named, off": (window("qwen2", sliding_window=6, layer_types=[S, F, F, S]), "sliding window"),
    "qwen2, layers full": (window("qwen2", sliding_window=6, layer_types=[F] * 4), None),
    "qwen2, a layer too few": (
        window("qwen2", sliding_window=6, use_sliding_window=True, layer_types=[S, F, F]), "layer_types"),
    "qwen2, an unknown layer": (window("qwen2", layer_types=[F, F, F, "chunked_attention"]), "layer_types"),
    "llama, a window": (window("llama", sliding_window=6), "sliding window"),
    "llama, a window switched off": (window("llama", sliding_window=6, use_sliding_window=False), None),
    "llama, layers full": (window("llama", layer_types=[F] * 4), None),
    "llama, layers sliding": (window("llama", layer_types=[S] * 4), "sliding window"),
    "qwen3, on": (window("qwen3", sliding_window=6, use_sliding_window=True, max_window_layers=3), None),
    "gemma3": (window("gemma3_text"), None),
    "gemma3, pattern": (window("gemma3_text", sliding_window=9, sliding_window_pattern=2), None),
    "gemma3, layers named": (window("gemma3_text", sliding_window=9, layer_types=[F, S, S, F]), None),
    "gemma3, no window": (window("gemma3_text", sliding_window=None, layer_types=[F] * 4), None),
    "gemma3, no window for named layers": (
        window("gemma3_text", sliding_window=None, layer_types=[F, S, F, F]), "sliding window"),
    # two kinds of rotary positions
    "gemma3, bases": (rope("gemma3_text", rope_theta=3000.0, rope_local_base_freq=200.0), None),
    "gemma3, scaling": (rope("gemma3_text", rope_scaling={"rope_type": "linear", "factor": 8.0}), None),
    "gemma3, by layer": (rope("gemma3_text", rope_parameters={
        F: {"rope_type": "linear", "factor": 4.0, "rope_theta": 5000.0},
        S: {"rope_type": "default", "rope_theta": 300.0}}), None),
    "gemma3, one kind given": (
        rope("gemma3_text", rope_parameters={F: {"rope_type": "default", "rope_theta": 70.0}}), None),
    "gemma3, for all layers": (
        rope("gemma3_text", rope_parameters={"rope_type": "default", "rope_theta": 70.0}), "rope_type"),
    "gemma3, unequal bases": (rope("gemma3_text", rope_local_base_freq=9.0, rope_parameters={
        S: {"rope_type": "default", "rope_theta": 70.0}}), "rope_theta"),
    # heads
    "llama, key heads absent": ({"model_type": "llama"}, None),
    "llama, key heads null": ({"model_type": "llama", "num_key_value_heads": None}, None),
    "mistral, key heads absent": ({"model_type": "mistral", "num_attention_heads": 16}, None),
    "qwen2, key heads null": ({"model_type": "qwen2", "num_key_value_heads": None}, None),
    "head size": (rope(head_dim=6), None),
    "qwen3, head size absent": (rope("qwen3"), None),
    "gemma3, head size absent": (rope("gemma3_text"), None),
    "olmo2, key heads absent": ({"model_type": "olmo2"}, None),
    "head size null": (rope(head_dim=None), None),
    # tokens
    "eos absent": (rope(), None),
    "eos null": (rope(eos_token_id=None), None),
    "eos a list": (rope(eos_token_id=[3, 5, 3]), None),
    "eos none": (rope(eos_token_id=-1, bos_token_id=-1), None),
    "qwen2, no tokens": (rope("qwen2"), None),
}


def described(config):
    layers = config.num_hidden_layers
    # Mistral puts its window on all layers and reads no layer types, Llama has no window at all.
    sliding = getattr(config, "sliding_window", None) or 0
    one = {"mistral": S, "llama": F, "olmo2": F, "phi3": S if sliding else F}.get(config.model_type)
    types = [one] * layers if one else config.layer_types
    with torch.device("meta"):
        rotary_class = type(AutoModelForCausalLM.from_config(config).model.rotary_emb)
    rotary = rotary_class(config)
    eos = config.eos_token_id
    kinds = {"frequencies": "", "local_frequencies": ""}
    if config.model_type == "gemma3_text":
        kinds = {"frequencies": F + "_", "local_frequencies": S + "_"}
    return {
        **{name: [float(f) for f in getattr(rotary, kind + "inv_freq", [])] for name, kind in kinds.items()},
        "factor": float(getattr(rotary, kinds["frequencies"] + "attention_scaling", 1.0)),
        "windows": [sliding if t == S else 0 for t in types],
        "key_heads": config.num_key_value_heads,
        "head_size": getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        "bos": config.bos_token_id,
        "eos": eos if isinstance(eos, list) else [] if eos is None else [eos]}


def main():
    cases = []
    for name, (fields, refused) in CASES.items():
        case = {"name": name, "config": {**BASE, **fields}}
        if refused:
            case["refused"] = refused
        else:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "config.json").write_text(json.dumps(case["config"]))
                case["expected"] = described(AutoConfig.from_pretrained(folder))
        cases.append(case)
    text = "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]"
    Path(__file__).with_name("config_cases.json").write_text(
        f'{{"transformers": "{transformers.__version__}", "cases": {text}}}\n')


if __name__ == "__main__":
    main()
