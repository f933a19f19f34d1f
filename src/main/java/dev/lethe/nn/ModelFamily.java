package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.backend.kernel.Nonlinearity;
import dev.lethe.format.HfConfig;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What is special about a family of Llama-like decoders. A new family is one more entry of the list
 * here; what differs in more than names and flags needs its own operations first.
 *
 * @param modelType {@code model_type} in {@code config.json}
 * @param architecture the causal language model's class in transformers
 * @param biases linear layers that always have a bias
 * @param biasFlags whether {@code attention_bias} and {@code mlp_bias} add biases
 * @param windows which layers a sliding window restricts
 * @param names what its weights are called
 */
public record ModelFamily(
    String modelType,
    String architecture,
    Set<Projection> biases,
    boolean biasFlags,
    Windows windows,
    WeightNames names) {
  private static final Set<Projection> ATTENTION =
      EnumSet.of(Projection.QUERY, Projection.KEY, Projection.VALUE, Projection.OUTPUT);
  private static final Set<Projection> MLP =
      EnumSet.of(Projection.GATE, Projection.UP, Projection.DOWN);

  /** All families, by model type. */
  public static final List<ModelFamily> ALL =
      List.of(
          new ModelFamily(
              "llama", "LlamaForCausalLM", Set.of(), true, Windows.NONE, WeightNames.LLAMA),
          new ModelFamily(
              "mistral", "MistralForCausalLM", Set.of(), false, Windows.ALL, WeightNames.LLAMA),
          new ModelFamily(
              "qwen2",
              "Qwen2ForCausalLM",
              Set.of(Projection.QUERY, Projection.KEY, Projection.VALUE),
              false,
              Windows.UPPER,
              WeightNames.LLAMA));

  private static final Set<String> ROPE_SCALINGS = Set.of("linear", "llama3");

  /** Which layers attend within the sliding window of the configuration. */
  public enum Windows {
    /** None; a configuration that asks for one is refused. */
    NONE,
    /** Every layer. */
    ALL,
    /** Those that {@code layer_types} names, else those from {@code max_window_layers} on. */
    UPPER
  }

  /**
   * The dimensions of a model of a known family.
   *
   * @param where the model's folder, for messages
   * @throws LetheException where the configuration asks for what would not be computed
   */
  public static TransformerSpec spec(HfConfig config, String where) {
    ModelFamily family =
        ALL.stream()
            .filter(f -> f.modelType.equals(config.modelType()))
            .findFirst()
            .orElseThrow(() -> unknown(config, where));
    family.requireSupported(config, where);
    return new TransformerSpec(
        family,
        config.numHiddenLayers(),
        config.hiddenSize(),
        config.intermediateSize(),
        Nonlinearity.SILU,
        config.numAttentionHeads(),
        config.numKeyValueHeads(),
        config.headDim(),
        config.vocabSize(),
        config.maxPositionEmbeddings(),
        config.rmsNormEps(),
        config.ropeTheta(),
        config.ropeScaling(),
        family.windows(config, where),
        config.tieWordEmbeddings(),
        family.biased(config),
        config.bosTokenId(),
        List.copyOf(config.eosTokenIds()));
  }

  private void requireSupported(HfConfig config, String where) {
    if (!config.architectures().isEmpty() && !config.architectures().contains(architecture)) {
      throw refused(
          where,
          "architectures",
          architecture,
          String.join(", ", config.architectures()),
          "Use a causal language model.");
    }
    if (!config.hiddenAct().equals("silu")) {
      throw refused(
          where, "hidden_act", "silu", config.hiddenAct(), "Use a model with gated SiLU units.");
    }
    String scaling = config.ropeScaling() == null ? null : config.ropeScaling().type();
    if (scaling != null && !ROPE_SCALINGS.contains(scaling)) {
      throw refused(
          where,
          "rope_scaling type",
          String.join(" or ", ROPE_SCALINGS.stream().sorted().toList()),
          scaling,
          "Use a model without it, or add the rule to RopeFrequencies.");
    }
  }

  private Set<Projection> biased(HfConfig config) {
    Set<Projection> biased = EnumSet.noneOf(Projection.class);
    biased.addAll(biases);
    if (biasFlags && config.attentionBias()) {
      biased.addAll(ATTENTION);
    }
    if (biasFlags && config.mlpBias()) {
      biased.addAll(MLP);
    }
    return biased;
  }

  private List<Integer> windows(HfConfig config, String where) {
    int layers = config.numHiddenLayers();
    if (!config.useSlidingWindow() || config.slidingWindow() == null) {
      return Collections.nCopies(layers, 0);
    }
    int window = Math.toIntExact(config.slidingWindow());
    return IntStream.range(0, layers)
        .mapToObj(layer -> windowed(config, layer, where) ? window : 0)
        .toList();
  }

  private boolean windowed(HfConfig config, int layer, String where) {
    List<String> types = config.layerTypes();
    if (windows == Windows.NONE) {
      throw refused(
          where,
          "sliding window",
          "none in the " + modelType + " family",
          "one of " + config.slidingWindow() + " tokens",
          "Use model_type mistral or qwen2.");
    }
    if (windows == Windows.ALL) {
      return true;
    }
    if (types.isEmpty()) {
      return layer >= config.maxWindowLayers();
    }
    if (types.size() != config.numHiddenLayers()) {
      throw refused(
          where,
          "layer_types",
          config.numHiddenLayers() + " entries",
          types.size() + " entries",
          "Fetch the configuration again.");
    }
    return types.get(layer).equals("sliding_attention");
  }

  private static LetheException unknown(HfConfig config, String where) {
    String known = ALL.stream().map(ModelFamily::modelType).collect(Collectors.joining(", "));
    return refused(
        where,
        "model_type",
        "one of " + known,
        config.modelType(),
        "Use a model of these families.");
  }

  private static LetheException refused(
      String where, String field, String expected, String got, String remedy) {
    return new LetheException(
        where + "/config.json, " + field, "is not supported", expected, got, remedy);
  }
}
