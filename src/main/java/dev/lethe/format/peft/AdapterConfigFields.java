package dev.lethe.format.peft;

import static dev.lethe.format.ConfigPolicy.Fate.HARMLESS;
import static dev.lethe.format.ConfigPolicy.Fate.REFUSED;
import static dev.lethe.format.ConfigPolicy.Fate.USED;

import dev.lethe.format.ConfigPolicy.Rule;
import dev.lethe.format.ConfigPolicy;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.JsonFields;
import java.util.List;

/**
 * What becomes of every field of {@code adapter_config.json}; {@code docs/formats.md} shows this
 * table.
 */
public final class AdapterConfigFields {
  public static final ConfigPolicy POLICY =
      new ConfigPolicy(
          List.of(
              Rule.of(USED, "the kind of adapter; only LORA is read", "peft_type"),
              Rule.of(
                  USED,
                  "ranks and scales",
                  "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora"),
              Rule.of(
                  USED,
                  "which modules have a pair",
                  "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
              Rule.of(USED, "modules with whole copies in the file, which stay frozen", "modules_to_save"),
              Rule.of(USED, "whether a tied head's pair is the embedding's; refused with pairs there",
                  "ensure_weight_tying"),
              Rule.of(USED, "dropout on the pairs' input, in training", "lora_dropout"),
              Rule.of(USED, "trained biases; only none is read", "bias"),
              Rule.of(
                  USED,
                  "start values; refused where they change the base model's weights",
                  "init_lora_weights"),
              Rule.of(USED, "the base model, for messages", "base_model_name_or_path"),
              Rule.of(
                  HARMLESS,
                  "where the adapter comes from and what for",
                  "peft_version", "revision", "task_type", "auto_mapping", "inference_mode",
                  "unsloth_fixed", "unsloth_version"),
              Rule.of(
                  HARMLESS,
                  "transposed weights, which PEFT decides by the layer's class",
                  "fan_in_fan_out"),
              Rule.of(
                  HARMLESS,
                  "settings of initialisations, which are over once an adapter exists",
                  "loftq_config", "eva_config", "corda_config", "lora_ga_config"),
              Rule.of(
                  HARMLESS,
                  "settings of what is refused below",
                  "qalora_group_size", "megatron_core"),
              Rule.of(HARMLESS, "how it is computed, not what", "runtime_config"),
              Rule.of(REFUSED, "DoRA", "use_dora"),
              Rule.of(REFUSED, "repeated layers", "layer_replication"),
              Rule.of(REFUSED, "trained token embeddings", "trainable_token_indices"),
              Rule.of(REFUSED, "a bias in the adapter", "lora_bias"),
              Rule.of(REFUSED, "adapters on bare parameters", "target_parameters"),
              Rule.of(REFUSED, "QALoRA", "use_qalora"),
              Rule.of(REFUSED, "activated LoRA", "alora_invocation_tokens"),
              Rule.of(REFUSED, "Arrow routing", "arrow_config"),
              Rule.of(REFUSED, "block-diagonal LoRA", "use_bdlora"),
              Rule.of(REFUSED, "KaSA", "kasa_config"),
              Rule.of(REFUSED, "VeLoRA", "velora_config"),
              Rule.of(REFUSED, "MonteCLoRA", "monteclora_config"),
              Rule.of(REFUSED, "Megatron layers", "megatron_config")),
          "Use a plain LoRA adapter of linear layers; if the field changes nothing, delete it from"
              + " adapter_config.json");

  /** Initialisations that also change the base model's weights whenever the adapter is loaded. */
  private static final List<String> REFUSED_INITS =
      List.of("pissa", "olora", "loftq", "corda", "lora_ga");

  private AdapterConfigFields() {}

  /** Throws where the adapter is of another kind or a field asks for what is not supported. */
  static void check(JsonFields f) {
    requirePeftType(f);
    POLICY.check(f, "");
    if (!f.stringOr("bias", "none").equals("none")) {
      throw f.unsupported("bias", "trained biases", "Train the adapter with bias='none'");
    }
    String init = f.node().path("init_lora_weights").asString("");
    if (REFUSED_INITS.stream().anyMatch(init::startsWith)) {
      throw f.unsupported(
          "init_lora_weights",
          "an initialisation that changes the base model's weights",
          "Save the adapter from PEFT with path_initial_model_for_weight_conversion");
    }
  }

  private static void requirePeftType(JsonFields f) {
    f.required("peft_type");
    String type = f.stringOr("peft_type", "");
    if (!type.equals("LORA")) {
      throw new FormatException(
          Kind.UNSUPPORTED,
          f.where(),
          "the adapter is of an unsupported kind",
          "peft_type 'LORA'",
          "'" + type + "'",
          "Use a LoRA adapter");
    }
  }
}
