"""Asks PEFT which modules of a small Llama an adapter configuration targets, and with which rank and scale.

    python tests/resources/golden/peft_patterns/make_peft_patterns.py tests/resources/golden/peft_patterns

Every case is built into a model by PEFT itself; the answers are read from the layers that it made.
"""

import json
import sys
import warnings
from pathlib import Path

import peft
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

warnings.filterwarnings("ignore")
LAYERS = 12

CASES = {
    "two_names": dict(target_modules=["q_proj", "v_proj"]),
    "all_linear": dict(target_modules="all-linear"),
    "all_linear_upper_case": dict(target_modules="ALL-LINEAR"),
    "suffix_of_two": dict(target_modules=["self_attn.q_proj", "mlp.down_proj"]),
    "no_part_of_a_name": dict(target_modules=["proj", "q_proj"]),
    "whole_name": dict(target_modules=["model.layers.1.self_attn.q_proj"]),
    "head": dict(target_modules=["lm_head"]),
    "regex": dict(target_modules=r".*\.layers\.(0|2|1[01])\..*(q|v)_proj"),
    "regex_must_match_whole": dict(target_modules=r"(model\.layers\.1\.mlp\.up_proj|.*layers\.2.*k_proj)"),
    "regex_named_group": dict(target_modules=r".*\.(?P<kind>self_attn|mlp)\.(?P<p>[a-z]+)_proj"),
    "regex_lookahead": dict(target_modules=r"model\.layers\.(?!0\.).*\.o_proj"),
    "exclude_names": dict(target_modules=["q_proj", "v_proj"], exclude_modules=["model.layers.0.self_attn.q_proj"]),
    "exclude_suffix": dict(target_modules=["q_proj", "v_proj"], exclude_modules=["v_proj"]),
    "exclude_regex": dict(target_modules="all-linear", exclude_modules=r".*\.mlp\..*"),
    "one_layer": dict(target_modules=["q_proj"], layers_to_transform=1),
    "some_layers": dict(target_modules=["q_proj", "up_proj"], layers_to_transform=[0, 2, 11]),
    "layers_pattern": dict(target_modules=["q_proj"], layers_to_transform=[1], layers_pattern="layers"),
    "layers_pattern_list": dict(target_modules=["q_proj"], layers_to_transform=[1], layers_pattern=["blocks", "layers"]),
    "whole_name_and_layers": dict(
        target_modules=["model.layers.1.self_attn.q_proj", "v_proj"], layers_to_transform=[0]),
    "rank_by_name": dict(target_modules=["q_proj", "v_proj"], rank_pattern={"q_proj": 3}),
    "rank_by_suffix": dict(target_modules=["q_proj", "v_proj"], rank_pattern={"layers.1.self_attn.q_proj": 3}),
    "rank_layer_1_is_not_11": dict(target_modules=["q_proj"], rank_pattern={r"1\.self_attn\.q_proj": 2}),
    "rank_regex": dict(target_modules="all-linear", rank_pattern={r"layers\.(1|10)\..*": 5, "down_proj": 6}),
    "rank_first_wins": dict(target_modules=["q_proj"], rank_pattern={"self_attn.q_proj": 2, "q_proj": 7}),
    "rank_order_reversed": dict(target_modules=["q_proj"], rank_pattern={"q_proj": 7, "self_attn.q_proj": 2}),
    "rank_no_part": dict(target_modules=["q_proj"], rank_pattern={"_proj": 3, "q_pro": 5}),
    "rank_anchored": dict(target_modules=["q_proj", "v_proj"], rank_pattern={r"^model\.layers\.0\.self_attn\.q_proj": 3}),
    "rank_alternation": dict(target_modules=["q_proj", "v_proj", "o_proj"], rank_pattern={"q_proj|o_proj": 3}),
    "alpha_by_name": dict(target_modules=["q_proj", "v_proj"], alpha_pattern={"v_proj": 12}),
    "alpha_fraction": dict(target_modules=["q_proj"], lora_alpha=2.5),
    "rank_and_alpha": dict(
        target_modules=["q_proj", "v_proj"], rank_pattern={"q_proj": 2},
        alpha_pattern={r"layers\.0\..*": 3, "q_proj": 5}),
    "rslora": dict(target_modules=["q_proj", "v_proj"], use_rslora=True),
    "rslora_patterns": dict(
        target_modules=["q_proj", "v_proj"], use_rslora=True, rank_pattern={"q_proj": 9}, alpha_pattern={"v_proj": 1}),
}


def main():
    config = LlamaConfig(
        hidden_size=8, intermediate_size=12, num_hidden_layers=LAYERS, num_attention_heads=2,
        num_key_value_heads=1, vocab_size=16, max_position_embeddings=16)
    cases = []
    for name, fields in CASES.items():
        torch.manual_seed(0)
        base = LlamaForCausalLM(config)
        linears = [n for n, m in base.named_modules() if isinstance(m, torch.nn.Linear)]
        fields = {"r": 4, "lora_alpha": 8, **fields}
        written = LoraConfig(task_type="CAUSAL_LM", **fields).to_dict()
        model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **fields))
        modules = {}
        for module_name, module in model.base_model.model.named_modules():
            if hasattr(module, "lora_A") and "default" in module.lora_A:
                modules[module_name] = {"r": module.r["default"], "scale": module.scaling["default"]}
        for key in ("target_modules", "exclude_modules"):
            if isinstance(written[key], set):
                written[key] = sorted(written[key])
        cases.append({"name": name, "config": {k: v for k, v in written.items()}, "modules": modules})
    golden = {"peft": peft.__version__, "linears": linears, "cases": cases}
    (Path(sys.argv[1]) / "peft_patterns.json").write_text(json.dumps(golden, indent=1, default=str) + "\n")
    print(len(cases), "cases")


main()
