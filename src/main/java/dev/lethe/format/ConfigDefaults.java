package dev.lethe.format;

import dev.lethe.format.FormatException.Kind;
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
    int bos,
    int eos,
    int window,
    LayerWindows.Rule windows) {
  public static final ConfigDefaults LLAMA =
      new ConfigDefaults("llama", 0, 0, 2048, 1e-6, 1, 2, 0, LayerWindows.Rule.NONE);
  public static final ConfigDefaults MISTRAL =
      new ConfigDefaults("mistral", 8, 0, 131072, 1e-6, 1, 2, 4096, LayerWindows.Rule.ALL);
  public static final ConfigDefaults QWEN2 =
      new ConfigDefaults("qwen2", 32, 0, 32768, 1e-6, -1, -1, 4096, LayerWindows.Rule.UPPER);

  private static final List<ConfigDefaults> ALL = List.of(LLAMA, MISTRAL, QWEN2);

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
