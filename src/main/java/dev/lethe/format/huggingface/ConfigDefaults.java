package dev.lethe.format.huggingface;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.JsonFields;
import java.util.List;
import java.util.stream.Collectors;

/**
 * What transformers' config class of a {@code model_type} takes for fields that are absent, and how
 * it reads the window.
 *
 * @param keyHeads key and value heads; 0: as many as query heads
 * @param headDim width of a head; 0: the hidden size divided among the heads
 * @param positions the context
 * @param normEps ε of the norms
 * @param activation the gated unit's function
 * @param tied whether the head is the embedding
 * @param bos −1: none
 * @param eos −1: none
 * @param window the sliding window in tokens; 0: none
 * @param windows which layers it restricts
 */
public record ConfigDefaults(
    String modelType,
    int keyHeads,
    int headDim,
    long positions,
    double normEps,
    String activation,
    boolean tied,
    int bos,
    int eos,
    int window,
    LayerWindows.Rule windows) {
  private static final String SILU = "silu";

  public static final ConfigDefaults LLAMA =
      new ConfigDefaults(
          "llama", 0, 0, 2048, 1e-6, SILU, false, 1, 2, 0, LayerWindows.Rule.NONE);
  public static final ConfigDefaults MISTRAL =
      new ConfigDefaults(
          "mistral", 8, 0, 131072, 1e-6, SILU, false, 1, 2, 4096, LayerWindows.Rule.ALL);
  public static final ConfigDefaults QWEN2 =
      new ConfigDefaults(
          "qwen2", 32, 0, 32768, 1e-6, SILU, false, -1, -1, 4096, LayerWindows.Rule.UPPER);
  public static final ConfigDefaults QWEN3 =
      new ConfigDefaults(
          "qwen3", 32, 128, 32768, 1e-6, SILU, false, -1, -1, 4096, LayerWindows.Rule.UPPER);
  public static final ConfigDefaults OLMO2 =
      new ConfigDefaults(
          "olmo2", 0, 0, 2048, 1e-5, SILU, false, -1, 50279, 0, LayerWindows.Rule.NONE);
  public static final ConfigDefaults GEMMA3 =
      new ConfigDefaults(
          "gemma3_text", 4, 256, 131072, 1e-6, "gelu_pytorch_tanh", true, 2, 1, 4096,
          LayerWindows.Rule.PATTERN);

  public static final ConfigDefaults GPT2 =
      new ConfigDefaults(
          "gpt2", 0, 0, 1024, 1e-5, "gelu_new", true, 50256, 50256, 0, LayerWindows.Rule.NONE);
  public static final ConfigDefaults PHI3 =
      new ConfigDefaults(
          "phi3", 0, 0, 4096, 1e-5, SILU, false, 1, 32000, 0, LayerWindows.Rule.ALL);

  private static final List<ConfigDefaults> ALL =
      List.of(LLAMA, MISTRAL, QWEN2, QWEN3, OLMO2, GEMMA3, GPT2, PHI3);

  /** Those of a configuration's model type; throws where it is unknown. */
  static ConfigDefaults of(JsonFields f) {
    f.required("model_type");
    String type = f.stringOr("model_type", "");
    return ALL.stream()
        .filter(one -> one.modelType.equals(type))
        .findFirst()
        .orElseThrow(() -> unknown(f, type));
  }

  private static FormatException unknown(JsonFields f, String type) {
    boolean nested = f.has("text_config");
    return new FormatException(
        Kind.UNSUPPORTED,
        f.where(),
        nested
            ? "model_type is not supported: its language model is a part, described in text_config"
            : "model_type is not supported",
        "one of " + ALL.stream().map(ConfigDefaults::modelType).collect(Collectors.joining(", ")),
        "'" + type + "'",
        nested
            ? "Save the language model alone, with its own config.json"
            : "Use a model of these families");
  }
}
