package dev.lethe.format;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** What an adapter's configuration may not ask for, because Lethe would compute something else. */
final class PeftRefusals {
  private static final System.Logger LOG = System.getLogger(PeftRefusals.class.getName());

  /** Field → what it asks for. Refused unless absent, null, false or empty. */
  private static final Map<String, String> REFUSED =
      Map.ofEntries(
          Map.entry("use_dora", "DoRA"),
          Map.entry("modules_to_save", "whole modules trained beside the adapter"),
          Map.entry("fan_in_fan_out", "transposed weights"),
          Map.entry("layer_replication", "repeated layers"),
          Map.entry("trainable_token_indices", "trained token embeddings"),
          Map.entry("lora_bias", "a bias in the adapter"),
          Map.entry("target_parameters", "adapters on bare parameters"),
          Map.entry("use_qalora", "QALoRA"),
          Map.entry("alora_invocation_tokens", "activated LoRA"),
          Map.entry("arrow_config", "Arrow routing"),
          Map.entry("use_bdlora", "block-diagonal LoRA"),
          Map.entry("kasa_config", "KaSA"),
          Map.entry("velora_config", "VeLoRA"),
          Map.entry("monteclora_config", "MonteCLoRA"),
          Map.entry("megatron_config", "Megatron layers"));

  /** Initialisations that also change the base model's weights whenever the adapter is loaded. */
  private static final List<String> REFUSED_INITS =
      List.of("pissa", "olora", "loftq", "corda", "lora_ga");

  /** Fields that Lethe reads or that change nothing once an adapter exists. */
  private static final Set<String> KNOWN =
      Set.of(
          "alpha_pattern",
          "auto_mapping",
          "base_model_name_or_path",
          "bias",
          "corda_config",
          "ensure_weight_tying",
          "eva_config",
          "exclude_modules",
          "inference_mode",
          "init_lora_weights",
          "layers_pattern",
          "layers_to_transform",
          "loftq_config",
          "lora_alpha",
          "lora_dropout",
          "lora_ga_config",
          "megatron_core",
          "peft_type",
          "peft_version",
          "qalora_group_size",
          "r",
          "rank_pattern",
          "revision",
          "target_modules",
          "task_type",
          "use_rslora");

  private PeftRefusals() {}

  /** Throws where a field asks for what is not supported; warns of fields nobody here knows. */
  static void check(JsonFields f) {
    requirePeftType(f);
    for (Map.Entry<String, String> refused : REFUSED.entrySet()) {
      if (hasEffect(f.node().path(refused.getKey()))) {
        throw f.unsupported(
            refused.getKey(), refused.getValue(), "Use a plain LoRA adapter of linear layers");
      }
    }
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
    for (String field : f.node().propertyNames()) {
      boolean known = KNOWN.contains(field) || REFUSED.containsKey(field);
      if (!known && hasEffect(f.node().get(field))) {
        LOG.log(
            System.Logger.Level.WARNING,
            f.where() + ": field " + Text.quote(field) + " is unknown here; it is kept and has no effect");
      }
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

  private static boolean hasEffect(JsonNode value) {
    if (value.isMissingNode() || value.isNull()) {
      return false;
    }
    return value.isBoolean() ? value.booleanValue() : !(value.isContainer() && value.isEmpty());
  }
}
