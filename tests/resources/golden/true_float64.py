"""Llama, Mistral, Qwen2, Qwen3, OLMo 2, Gemma 3 and Phi-3 of transformers in float64 throughout.

transformers keeps RMSNorm, the softmax, the rotary angles and Gemma's factor on embeddings in float32 even in a
float64 model. Inside `with true_float64():` they are float64, so that a float64 implementation can be held to 1e-10.
"""
import contextlib
import math

import torch
from transformers.models.gemma3 import modeling_gemma3
from transformers.models.llama import modeling_llama
from transformers.models.mistral import modeling_mistral
from transformers.models.olmo2 import modeling_olmo2
from transformers.models.phi3 import modeling_phi3
from transformers.models.qwen2 import modeling_qwen2
from transformers.models.qwen3 import modeling_qwen3

FAMILIES = [(modeling_llama, "Llama"), (modeling_mistral, "Mistral"), (modeling_qwen2, "Qwen2"),
            (modeling_qwen3, "Qwen3"), (modeling_olmo2, "Olmo2"), (modeling_gemma3, "Gemma3"),
            (modeling_phi3, "Phi3")]


def double_rms_norm(self, x):
    """w x / sqrt(mean x^2 + eps), in the dtype of x."""
    return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)


def double_gemma_norm(self, x):
    """(1 + w) x / sqrt(mean x^2 + eps), in the dtype of x."""
    return (1 + self.weight) * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)


def double_gemma_embedding(self, ids):
    return torch.nn.functional.embedding(ids, self.weight) * self.scalar_embed_scale


def double_attention(module, query, key, value, attention_mask, scaling, dropout=0.0, **_):
    """Eager attention with the softmax in the dtype of the scores. query (B,H,T,K), key and value (B,G,S,K)."""
    key = key.repeat_interleave(module.num_key_value_groups, dim=1)
    value = value.repeat_interleave(module.num_key_value_groups, dim=1)
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.softmax(-1)
    return (weights @ value).transpose(1, 2).contiguous(), weights


def inverse_frequencies(config, rope):
    """RoPE's angle per position in float64: default, linear, llama3 and longrope within the original context, as in
    transformers' modeling_rope_utils."""
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    dim = int(head * rope.get("partial_rotary_factor", 1))
    freq = rope["rope_theta"] ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    if rope["rope_type"] == "default":
        return freq
    if rope["rope_type"] == "linear":
        return freq / rope["factor"]
    if rope["rope_type"] == "longrope":
        return freq / torch.tensor(rope["short_factor"], dtype=torch.float64)
    if rope["rope_type"] != "llama3":
        raise ValueError(f"no float64 rule for rope_type {rope['rope_type']}")
    context, low, high = (rope[k] for k in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))
    smooth = ((context * freq / (2 * math.pi) - low) / (high - low)).clamp(0, 1)
    return freq * (smooth + (1 - smooth) / rope["factor"])


def double_rotary(self, x, position_ids, layer_type=None):
    rope = self.config.rope_parameters
    freq = inverse_frequencies(self.config, rope if layer_type is None else rope[layer_type])
    single = self.inv_freq if layer_type is None else getattr(self, layer_type + "_inv_freq")
    error = (freq.float() - single).abs() / single.abs()
    assert error.max() < 1e-6, f"inverse frequencies differ from transformers' by {error.max()}"
    angle = position_ids[:, :, None].double() * freq
    angle = torch.cat((angle, angle), dim=-1)
    scaling = self.attention_scaling if layer_type is None else getattr(self, layer_type + "_attention_scaling")
    return angle.cos() * scaling, angle.sin() * scaling


@contextlib.contextmanager
def true_float64():
    kept = []
    for module, name in FAMILIES:
        norm, rotary = getattr(module, name + "RMSNorm"), getattr(module, name + "RotaryEmbedding")
        double_norm = double_gemma_norm if name == "Gemma3" else double_rms_norm
        for owner, attribute, value in [(norm, "forward", double_norm), (rotary, "forward", double_rotary),
                                        (module, "eager_attention_forward", double_attention)]:
            kept.append((owner, attribute, getattr(owner, attribute)))
            setattr(owner, attribute, value)
    embedding = modeling_gemma3.Gemma3TextScaledWordEmbedding
    kept.append((embedding, "forward", embedding.forward))
    embedding.forward = double_gemma_embedding
    try:
        yield
    finally:
        for owner, attribute, value in kept:
            setattr(owner, attribute, value)
