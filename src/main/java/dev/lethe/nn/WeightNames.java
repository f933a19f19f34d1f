package dev.lethe.nn;

import java.util.Map;

/**
 * What a family calls its weights in a Hugging Face folder.
 *
 * @param embedding the token embedding's module
 * @param positions the embedding of positions; null: there is none
 * @param layers what stands before a layer's number
 * @param attentionNorm the norm before attention, within a layer
 * @param mlpNorm the norm before the gated unit, within a layer
 * @param projections the linear layers that there are, within a layer
 * @param finalNorm the norm before the head
 * @param head the vocabulary head's module
 */
public record WeightNames(
    String embedding,
    String positions,
    String layers,
    String attentionNorm,
    String mlpNorm,
    Map<Projection, String> projections,
    String finalNorm,
    String head) {
  /** The names of Llama, which most families took over. */
  public static final WeightNames LLAMA =
      new WeightNames(
          "model.embed_tokens",
          null,
          "model.layers.",
          "input_layernorm",
          "post_attention_layernorm",
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

  /** Llama's with fused layers. */
  public static final WeightNames PHI3 =
      new WeightNames(
          LLAMA.embedding,
          null,
          LLAMA.layers,
          LLAMA.attentionNorm,
          LLAMA.mlpNorm,
          Map.of(
              Projection.QUERY_KEY_VALUE, "self_attn.qkv_proj",
              Projection.OUTPUT, "self_attn.o_proj",
              Projection.GATE_UP, "mlp.gate_up_proj",
              Projection.DOWN, "mlp.down_proj"),
          LLAMA.finalNorm,
          LLAMA.head);

  public static final WeightNames GPT2 =
      new WeightNames(
          "transformer.wte",
          "transformer.wpe",
          "transformer.h.",
          "ln_1",
          "ln_2",
          Map.of(
              Projection.QUERY_KEY_VALUE, "attn.c_attn",
              Projection.OUTPUT, "attn.c_proj",
              Projection.UP, "mlp.c_fc",
              Projection.DOWN, "mlp.c_proj"),
          "transformer.ln_f",
          "lm_head");

  /** The module name of a linear layer, as PEFT sees it. */
  public String module(int layer, Projection projection) {
    return layers + layer + "." + projections.get(projection);
  }

  String attentionNorm(int layer) {
    return layers + layer + "." + attentionNorm;
  }

  String mlpNorm(int layer) {
    return layers + layer + "." + mlpNorm;
  }
}
