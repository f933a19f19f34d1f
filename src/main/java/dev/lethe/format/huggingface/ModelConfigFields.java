package dev.lethe.format.huggingface;

import static dev.lethe.format.ConfigPolicy.Fate.HARMLESS;
import static dev.lethe.format.ConfigPolicy.Fate.NAMED;
import static dev.lethe.format.ConfigPolicy.Fate.REFUSED;
import static dev.lethe.format.ConfigPolicy.Fate.USED;

import dev.lethe.format.ConfigPolicy.Rule;
import dev.lethe.format.ConfigPolicy;
import java.util.List;

/** What becomes of every field of {@code config.json}; {@code docs/formats.md} shows this table. */
public final class ModelConfigFields {
  public static final ConfigPolicy POLICY =
      new ConfigPolicy(
          List.of(
              Rule.of(
                  USED,
                  "the family and its class",
                  "model_type", "architectures"),
              Rule.of(
                  USED,
                  "sizes",
                  "n_embd", "n_inner", "n_layer", "n_head", "n_positions")
                  .in("gpt2"),
              Rule.of(
                  USED,
                  "norms, activation, attention",
                  "layer_norm_epsilon", "activation_function", "scale_attn_weights")
                  .in("gpt2"),
              Rule.of(HARMLESS, "an older name of the context; n_positions counts", "n_ctx")
                  .in("gpt2"),
              Rule.of(HARMLESS, "how scores are rounded in half precision", "reorder_and_upcast_attn")
                  .in("gpt2"),
              Rule.of(HARMLESS, "a head that sums up, which causal models do not have",
                  "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
                  "summary_type", "summary_use_proj")
                  .in("gpt2"),
              Rule.of(REFUSED, "scores divided by the layer's number",
                  "scale_attn_by_inverse_layer_idx")
                  .in("gpt2"),
              Rule.of(REFUSED, "fields that GPT-2 does not have",
                  "intermediate_size", "num_key_value_heads", "head_dim", "rms_norm_eps",
                  "hidden_act", "rope_theta", "rope_scaling", "rope_parameters",
                  "sliding_window", "use_sliding_window", "layer_types")
                  .in("gpt2"),
              Rule.of(
                  USED,
                  "sizes",
                  "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                  "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings"),
              Rule.of(
                  USED,
                  "norms, head",
                  "rms_norm_eps", "tie_word_embeddings"),
              Rule.of(REFUSED, "another name of hidden_activation", "hidden_act")
                  .in("gemma3_text")
                  .unless("\"gelu_pytorch_tanh\""),
              Rule.of(USED, "the gated unit's function", "hidden_act"),
              Rule.of(
                  USED,
                  "the gated unit's function, attention's scale, the second rotary base, the"
                      + " layers without a window",
                  "hidden_activation", "query_pre_attn_scalar", "rope_local_base_freq",
                  "sliding_window_pattern")
                  .in("gemma3_text"),
              Rule.of(HARMLESS, "a copy of sliding_window_pattern", "_sliding_window_pattern")
                  .in("gemma3_text"),
              Rule.of(
                  USED,
                  "rotary positions",
                  "rope_theta", "rope_scaling", "rope_parameters",
                  "original_max_position_embeddings"),
              Rule.of(USED, "how much of each head turns by its position", "partial_rotary_factor")
                  .in("phi3"),
              Rule.of(REFUSED, "a schedule of Phi's own code, which transformers does not have",
                  "full_attn_mod", "interpolate_factor")
                  .unless("1")
                  .in("phi3"),
              Rule.of(
                  USED,
                  "which layers attend within a window",
                  "sliding_window", "use_sliding_window", "layer_types"),
              Rule.of(USED, "the first layer with a window", "max_window_layers")
                  .in("qwen2", "qwen3"),
              Rule.of(USED, "biases of attention", "attention_bias")
                  .in("llama", "qwen3", "olmo2", "gemma3_text"),
              Rule.of(USED, "biases of the feed-forward layers", "mlp_bias").in("llama"),
              Rule.of(USED, "where a text begins and where generation stops",
                  "bos_token_id", "eos_token_id"),
              Rule.of(USED, "the weights' format, for display", "dtype", "torch_dtype"),
              Rule.of(USED, "how the weights are packed", "quantization_config"),
              Rule.of(
                  HARMLESS,
                  "where the model comes from",
                  "_name_or_path", "name_or_path", "_commit_hash", "transformers_version",
                  "transformers.js_config", "tokenizer_class", "unsloth_fixed", "unsloth_version",
                  "is_llama_config"),
              Rule.of(
                  HARMLESS,
                  "code beside the model; the family's own is used, as in transformers",
                  "auto_map"),
              Rule.of(
                  HARMLESS,
                  "start values of a training from nothing",
                  "initializer_range"),
              Rule.of(
                  HARMLESS,
                  "how it is computed, not what",
                  "use_cache", "cache_implementation", "pretraining_tp", "chunk_size_feed_forward",
                  "attn_implementation", "_attn_implementation", "_attn_implementation_autoset",
                  "_attn_implementation_internal", "_flash_attn_2_enabled", "use_flash_attn",
                  "torchscript", "use_bfloat16", "tf_legacy_loss"),
              Rule.of(
                  HARMLESS,
                  "what a call returns",
                  "output_hidden_states", "output_attentions", "output_scores", "return_dict",
                  "return_dict_in_generate"),
              Rule.of(
                  HARMLESS,
                  "tokens that no computation here reads; rows are never padded",
                  "pad_token_id", "unk_token_id", "sep_token_id", "decoder_start_token_id"),
              Rule.of(
                  HARMLESS,
                  "classifiers",
                  "id2label", "label2id", "num_labels", "problem_type", "finetuning_task",
                  "task_specific_params"),
              Rule.of(
                  HARMLESS,
                  "a decoder is one",
                  "is_decoder"),
              Rule.of(
                  HARMLESS,
                  "older names of the context; max_position_embeddings counts",
                  "max_sequence_length", "model_max_length"),
              Rule.of(
                  HARMLESS,
                  "a rule of Qwen, without effect where there is no window",
                  "max_window_layers"),
              Rule.of(
                  HARMLESS,
                  "defaults of generation; lethe generate has options of its own",
                  "do_sample", "temperature", "top_k", "top_p", "typical_p", "max_length",
                  "min_length", "max_new_tokens", "num_beams", "num_beam_groups",
                  "num_return_sequences", "early_stopping", "length_penalty",
                  "repetition_penalty", "encoder_repetition_penalty", "diversity_penalty",
                  "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids",
                  "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens",
                  "begin_suppress_tokens", "remove_invalid_values",
                  "exponential_decay_length_penalty", "epsilon_cutoff", "eta_cutoff",
                  "prefix"),
              Rule.of(NAMED, "dropout that transformers applies in training", "attention_dropout")
                  .unless("0"),
              Rule.of(NAMED, "dropout that transformers applies in training",
                  "attn_pdrop", "embd_pdrop", "resid_pdrop")
                  .unless("0")
                  .in("gpt2", "phi3"),
              Rule.of(REFUSED, "biases that this family does not have",
                  "attention_bias", "mlp_bias"),
              Rule.of(REFUSED, "rotary positions on a part of each head, which this family does not have",
                  "partial_rotary_factor")
                  .unless("1"),
              Rule.of(REFUSED, "another order of rotary pairs", "rope_interleaved"),
              Rule.of(REFUSED, "scores or logits bent by a tanh",
                  "attn_logit_softcapping", "final_logit_softcapping"),
              Rule.of(REFUSED, "attention to later tokens", "use_bidirectional_attention"),
              Rule.of(REFUSED, "an encoder or attention to one",
                  "is_encoder_decoder", "add_cross_attention", "cross_attention_hidden_size",
                  "tie_encoder_decoder"),
              Rule.of(REFUSED, "layers that differ", "per_layer_config", "pruned_heads"),
              Rule.of(REFUSED, "a model of several parts",
                  "text_config", "vision_config", "audio_config")),
          "Use a model without it; if it changes nothing, delete it from config.json");

  private ModelConfigFields() {}
}
