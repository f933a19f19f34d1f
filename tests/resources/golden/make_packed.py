#!/usr/bin/env python3
"""Writes packed models and what they compute: gguf/llama.gguf, gguf/qwen2.gguf and nf4/ with golden.json in each.

    make_packed.py OUT

The GGUF files are written by llama.cpp's Python package, with its converter's order of rows; what they compute is
computed by transformers from the expanded weights in float64. The vocabulary of llama.gguf is tiny_tokenizer's with a
score for each piece; its merges are those that transformers makes of them. NF4 is packed here, with packed scales, as
bitsandbytes documents it.
"""
import json
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM
from transformers.convert_slow_tokenizer import generate_merges

from make_blocks import NF4, random_blocks
from true_float64 import true_float64

TEXTS = ["Once upon a time", "  two  spaces", "naïve café\n\tTab", "日本語 😀 text", "", " ", "a<s>b</s>", "12345 + 6.7"]
IDS = [1, 45, 300, 7, 7, 260, 33, 99, 410, 2]
TYPES = {"attn_q": Q.Q8_0, "attn_k": Q.Q4_0, "attn_v": Q.Q6_K, "attn_output": Q.Q4_K, "ffn_gate": Q.F16,
         "ffn_up": Q.BF16, "ffn_down": Q.Q4_K}
HF = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
      "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
      "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


def permute(weights, heads):
    """LlamaModel.permute of llama.cpp's convert_hf_to_gguf.py."""
    return (weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
            .swapaxes(1, 2).reshape(weights.shape))


def unpermute(weights, heads):
    return (weights.reshape(heads, weights.shape[0] // heads // 2, 2, *weights.shape[1:])
            .swapaxes(1, 2).reshape(weights.shape))


def packed(rng, shape, kind, deviation):
    """Bytes of a type, and the floats that they stand for."""
    if kind in (Q.Q4_K, Q.Q6_K):
        size, halves, spread = (144, [0, 2], 300) if kind == Q.Q4_K else (210, [208], 1370)
        blocks = random_blocks(rng, shape[0] * shape[1] // 256, size, halves)
        for at, factor in zip(halves, (1, 7.5)):
            blocks[:, at:at + 2] = np.frombuffer(np.float16(factor * deviation / spread).tobytes(), np.uint8)
        data = blocks.reshape(shape[0], -1)
    else:
        weights = (rng.standard_normal(shape) * deviation).astype(np.float32)
        data = gguf.quants.quantize(weights, kind)
    return data, gguf.quants.dequantize(data, kind)


def logits(model, ids):
    with torch.no_grad(), true_float64():
        return model.double()(torch.tensor([ids])).logits[0, -1].tolist()


def write_gguf(out, name, config, model_class, types, fill):
    rng = np.random.default_rng(7)
    model = model_class(config)
    writer = gguf.GGUFWriter(out / f"{name}.gguf", name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    fill(writer)
    state = {}

    def add(own, folder, shape, kind, heads=0):
        if len(shape) == 1:
            centre = 1.0 if "norm" in own else 0.0
            data = values = (centre + 0.1 * rng.standard_normal(shape)).astype(np.float32)
            writer.add_tensor(own, data)
        else:
            data, values = packed(rng, shape, kind, shape[1] ** -0.5)
            writer.add_tensor(own, data, raw_dtype=kind)
        if heads:
            values = unpermute(values, heads)
            assert np.array_equal(permute(values, heads), gguf.quants.dequantize(data, kind))
        state[folder] = torch.from_numpy(np.ascontiguousarray(values)).double()

    d = config.hidden_size
    head = d // config.num_attention_heads
    add("token_embd.weight", "model.embed_tokens.weight", (config.vocab_size, d), types.get("token_embd", Q.Q6_K))
    for layer in range(config.num_hidden_layers):
        for own, folder in HF.items():
            f, kv = config.intermediate_size, config.num_key_value_heads * head
            shape = {"attn_k": (kv, d), "attn_v": (kv, d), "ffn_gate": (f, d), "ffn_up": (f, d), "ffn_down": (d, f),
                     "attn_norm": (d,), "ffn_norm": (d,)}.get(own, (d, d))
            heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(own, 0)
            heads = heads if name == "llama" else 0
            at = f"blk.{layer}.{own}"
            add(at + ".weight", f"model.layers.{layer}.{folder}.weight", shape, types.get(own, Q.Q8_0), heads)
            if name == "qwen2" and own in ("attn_q", "attn_k", "attn_v"):
                add(at + ".bias", f"model.layers.{layer}.{folder}.bias", (shape[0],), Q.F32)
    add("output_norm.weight", "model.norm.weight", (d,), Q.F32)
    if not config.tie_word_embeddings:
        add("output.weight", "lm_head.weight", (config.vocab_size, d), Q.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model.eval()


def llama(out, tiny):
    tokenizer = json.loads(tiny.read_text())
    vocab = tokenizer["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.get)
    special = {t["content"] for t in tokenizer["added_tokens"]}
    kinds = [2 if t == "<unk>" else 3 if t in special else 6 if t.startswith("<0x") else 1 for t in tokens]
    scores = [0.0 if t in special or t.startswith("<0x") else -float(i) for i, t in enumerate(tokens)]

    def fill(writer):
        writer.add_tokenizer_model("llama")
        writer.add_token_list(tokens)
        writer.add_token_scores(scores)
        writer.add_token_types(kinds)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)

    config = LlamaConfig(
        vocab_size=len(tokens), hidden_size=256, intermediate_size=256, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
        tie_word_embeddings=False)
    model = write_gguf(out, "llama", config, LlamaForCausalLM, TYPES, fill)
    pieces = {t: s for t, s, k in zip(tokens, scores, kinds) if k in (1, 6)}
    merges = generate_merges({t: vocab[t] for t in pieces}, [(t, s) for t, s in pieces.items()])
    tokenizer["model"]["merges"] = merges
    library = Tokenizer.from_str(json.dumps(tokenizer))
    texts = [{"text": t, "ids": library.encode(t).ids} for t in TEXTS]
    return {"ids": IDS, "logits": logits(model, IDS), "texts": texts}


def qwen2(out):
    config = Qwen2Config(
        vocab_size=96, hidden_size=64, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=32, rms_norm_eps=1e-6, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True)
    ids = [5, 90, 3, 3, 17]
    model = write_gguf(out, "qwen2", config, Qwen2ForCausalLM, {"token_embd": Q.Q8_0}, lambda writer: None)
    return {"ids": ids, "logits": logits(model, ids)}


def nf4(out):
    """One layer whose linears are packed with scales that are packed themselves."""
    rng = np.random.default_rng(4)
    torch.manual_seed(4)
    config = LlamaConfig(
        vocab_size=48, hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=32, rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, tie_word_embeddings=False)
    model = LlamaForCausalLM(config).bfloat16()
    code = np.sort(rng.uniform(-1, 1, 256)).astype(np.float32)
    tensors, expanded = {}, {}
    for name, weight in model.state_dict().items():
        if "_proj" not in name:
            tensors[name] = weight.contiguous()
            continue
        values = weight.float().numpy() * 4
        blocks = values.reshape(-1, 64)
        absmax = np.abs(blocks).max(axis=1)
        offset = np.float32(absmax.mean())
        outer, quants = [], []
        for part in np.split(absmax - offset, range(256, len(absmax), 256)):
            largest = np.abs(part).max().astype(np.float32)
            outer.append(largest)
            quants.append(np.abs(part[:, None] / largest - code[None]).argmin(axis=1).astype(np.uint8))
        quants, outer = np.concatenate(quants), np.array(outer, dtype=np.float32)
        scales = code[quants] * np.repeat(outer, 256)[:len(quants)] + offset
        q = np.abs(blocks[:, :, None] / scales[:, None, None] - NF4[None, None]).argmin(axis=2).astype(np.uint8).reshape(-1)
        exact = torch.from_numpy((NF4[q].reshape(-1, 64) * scales[:, None]).reshape(values.shape)).bfloat16()
        state = {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": list(values.shape),
                 "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": float(offset)}
        tensors[name] = torch.from_numpy(q[0::2] << 4 | q[1::2]).reshape(-1, 1)
        tensors[name + ".absmax"] = torch.from_numpy(quants)
        tensors[name + ".quant_map"] = torch.from_numpy(NF4.copy())
        tensors[name + ".nested_absmax"] = torch.from_numpy(outer)
        tensors[name + ".nested_quant_map"] = torch.from_numpy(code.copy())
        tensors[name + ".quant_state.bitsandbytes__nf4"] = torch.from_numpy(
            np.frombuffer(json.dumps(state).encode(), np.uint8).copy())
        expanded[name] = exact.float()
    save_file(tensors, out / "model.safetensors")
    save_file(expanded, out / "expanded.safetensors")
    fields = {k: v for k, v in config.to_dict().items() if k in (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim",
        "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "rope_parameters", "model_type", "hidden_act",
        "bos_token_id", "eos_token_id", "tie_word_embeddings")}
    fields["quantization_config"] = {
        "quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": "bfloat16", "bnb_4bit_quant_storage": "uint8"}
    (out / "config.json").write_text(json.dumps(fields, indent=1) + "\n")
    whole = LlamaForCausalLM(config)
    whole.load_state_dict({**{n: t.float() for n, t in model.state_dict().items()}, **expanded})
    ids = [3, 40, 11, 11, 47]
    return {"ids": ids, "logits": logits(whole.eval(), ids)}


def main(out):
    for name in ("gguf", "nf4"):
        (out / name).mkdir(exist_ok=True)
    golden = {"llama": llama(out / "gguf", out.parent / "tiny_tokenizer" / "tokenizer.json"), "qwen2": qwen2(out / "gguf")}
    (out / "gguf" / "golden.json").write_text(json.dumps(golden) + "\n")
    (out / "nf4" / "golden.json").write_text(json.dumps({"nf4": nf4(out / "nf4")}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
