package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.backend.kernel.Nonlinearity;
import dev.lethe.format.ConfigDefaults;
import dev.lethe.format.HfConfig;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * What is special about a family of Llama-like decoders. A new family is one more entry of the list
 * here; what differs in more than names and flags needs its own operations first.
 *
 * @param defaults its {@code model_type}, and what absent fields of {@code config.json} mean
 * @param architecture the causal language model's class in transformers
 * @param biases linear layers that always have a bias
 * @param names what its weights are called
 */
public record ModelFamily(
    ConfigDefaults defaults, String architecture, Set<Projection> biases, WeightNames names) {
  private static final Set<Projection> ATTENTION =
      EnumSet.of(Projection.QUERY, Projection.KEY, Projection.VALUE, Projection.OUTPUT);
  private static final Set<Projection> MLP =
      EnumSet.of(Projection.GATE, Projection.UP, Projection.DOWN);

  /** One function, two names. */
  private static final Set<String> SILU = Set.of("silu", "swish");

  /** All families. */
  public static final List<ModelFamily> ALL =
      List.of(
          new ModelFamily(ConfigDefaults.LLAMA, "LlamaForCausalLM", Set.of(), WeightNames.LLAMA),
          new ModelFamily(
              ConfigDefaults.MISTRAL, "MistralForCausalLM", Set.of(), WeightNames.LLAMA),
          new ModelFamily(
              ConfigDefaults.QWEN2,
              "Qwen2ForCausalLM",
              Set.of(Projection.QUERY, Projection.KEY, Projection.VALUE),
              WeightNames.LLAMA));

  /**
   * The dimensions of a model of a known family.
   *
   * @param where the model's folder, for messages
   * @throws LetheException where the configuration asks for what would not be computed
   */
  public static TransformerSpec spec(HfConfig config, String where) {
    ModelFamily family =
        ALL.stream().filter(f -> f.defaults.equals(config.defaults())).findFirst().orElseThrow();
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
        config.rope().positions(config.maxPositionEmbeddings()),
        config.rmsNormEps(),
        config.rope(),
        config.windows(),
        config.tieWordEmbeddings(),
        family.biased(config),
        config.bosTokenId(),
        config.eosTokenIds());
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
    if (!SILU.contains(config.hiddenAct())) {
      throw refused(
          where, "hidden_act", "silu", config.hiddenAct(), "Use a model with gated SiLU units.");
    }
  }

  private Set<Projection> biased(HfConfig config) {
    Set<Projection> biased = EnumSet.noneOf(Projection.class);
    biased.addAll(biases);
    if (config.attentionBias()) {
      biased.addAll(ATTENTION);
    }
    if (config.mlpBias()) {
      biased.addAll(MLP);
    }
    return biased;
  }

  private static LetheException refused(
      String where, String field, String expected, String got, String remedy) {
    return new LetheException(
        where + "/config.json, " + field, "is not supported", expected, got, remedy);
  }
}
