package dev.lethe.nn.family;

import dev.lethe.format.huggingface.ModelFiles;
import java.util.Map;

/**
 * What a family calls its weights in a Hugging Face folder.
 *
 * @param embedding the token embedding's module
 * @param positions the embedding of positions; null: there is none
 * @param layers what stands before a layer's number
 * @param norms the norms, within a layer
 * @param projections the linear layers that there are, within a layer
 * @param finalNorm the norm before the head
 * @param head the vocabulary head's module
 */
public record WeightNames(
    String embedding,
    String positions,
    String layers,
    Map<Norm, String> norms,
    Map<Projection, String> projections,
    String finalNorm,
    String head) {
  /** The names of Llama, which most families took over. */
  public static final WeightNames LLAMA =
      new WeightNames(
          "model.embed_tokens",
          null,
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

  /** The names of Phi-3: Llama's, with fused linear layers. */
  public static final WeightNames PHI3 =
      new WeightNames(
          LLAMA.embedding,
          null,
          LLAMA.layers,
          LLAMA.norms,
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
          Map.of(Norm.BEFORE_ATTENTION, "ln_1", Norm.BEFORE_MLP, "ln_2"),
          Map.of(
              Projection.QUERY_KEY_VALUE, "attn.c_attn",
              Projection.OUTPUT, "attn.c_proj",
              Projection.UP, "mlp.c_fc",
              Projection.DOWN, "mlp.c_proj"),
          "transformer.ln_f",
          "lm_head");

  /** What a base model that was saved without its head leaves out before its names; else nothing. */
  public String leftOut(ModelFiles folder) {
    String base = embedding.substring(0, embedding.indexOf('.') + 1);
    boolean bare = folder.has(embedding.substring(base.length()) + ".weight");
    return bare && !folder.has(embedding + ".weight") ? base : "";
  }

  /** The same names with other norms. */
  WeightNames withNorms(Map<Norm, String> others) {
    return new WeightNames(embedding, positions, layers, others, projections, finalNorm, head);
  }

  /** The module name of a linear layer, as PEFT sees it. */
  public String module(int layer, Projection projection) {
    return layers + layer + "." + projections.get(projection);
  }

  /** The module name of a norm that the family has. */
  public String module(int layer, Norm norm) {
    return layers + layer + "." + norms.get(norm);
  }
}
