package dev.lethe.nn;

import java.util.Map;

/**
 * What a family calls its weights in a Hugging Face folder.
 *
 * @param embedding the token embedding's module
 * @param layers what stands before a layer's number
 * @param norms the norms, within a layer
 * @param projections the linear layers, within a layer
 * @param finalNorm the norm before the head
 * @param head the vocabulary head's module
 */
public record WeightNames(
    String embedding,
    String layers,
    Map<Norm, String> norms,
    Map<Projection, String> projections,
    String finalNorm,
    String head) {
  /** The names of Llama, which most families took over. */
  public static final WeightNames LLAMA =
      new WeightNames(
          "model.embed_tokens",
          "model.layers.",
          Map.of(
              Norm.BEFORE_ATTENTION, "input_layernorm",
              Norm.BEFORE_MLP, "post_attention_layernorm"),
          Map.of(
              Projection.QUERY, "self_attn.q_proj",
              Projection.KEY, "self_attn.k_proj",
              Projection.VALUE, "self_attn.v_proj",
              Projection.OUTPUT, "self_attn.o_proj",
              Projection.GATE, "mlp.gate_proj",
              Projection.UP, "mlp.up_proj",
              Projection.DOWN, "mlp.down_proj"),
          "model.norm",
          "lm_head");

  /** The names of Qwen3: Llama's, with norms of queries and keys. */
  public static final WeightNames QWEN3 =
      LLAMA.withNorms(
          Map.of(
              Norm.BEFORE_ATTENTION, "input_layernorm",
              Norm.BEFORE_MLP, "post_attention_layernorm",
              Norm.QUERY, "self_attn.q_norm",
              Norm.KEY, "self_attn.k_norm"));

  /** The names of OLMo 2, whose norms follow the layers. */
  public static final WeightNames OLMO2 =
      LLAMA.withNorms(
          Map.of(
              Norm.AFTER_ATTENTION, "post_attention_layernorm",
              Norm.AFTER_MLP, "post_feedforward_layernorm",
              Norm.QUERY, "self_attn.q_norm",
              Norm.KEY, "self_attn.k_norm"));

  /** The names of Gemma 3, which has all norms. */
  public static final WeightNames GEMMA3 =
      LLAMA.withNorms(
          Map.of(
              Norm.BEFORE_ATTENTION, "input_layernorm",
              Norm.BEFORE_MLP, "pre_feedforward_layernorm",
              Norm.QUERY, "self_attn.q_norm",
              Norm.KEY, "self_attn.k_norm",
              Norm.AFTER_ATTENTION, "post_attention_layernorm",
              Norm.AFTER_MLP, "post_feedforward_layernorm"));

  /** The same names with other norms. */
  WeightNames withNorms(Map<Norm, String> others) {
    return new WeightNames(embedding, layers, others, projections, finalNorm, head);
  }

  /** The module name of a linear layer, as PEFT sees it. */
  public String module(int layer, Projection projection) {
    return layers + layer + "." + projections.get(projection);
  }

  /** The module name of a norm that the family has. */
  String module(int layer, Norm norm) {
    return layers + layer + "." + norms.get(norm);
  }
}
