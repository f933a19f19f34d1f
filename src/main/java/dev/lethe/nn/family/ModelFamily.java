package dev.lethe.nn.family;

import dev.lethe.LetheException;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.format.huggingface.ConfigDefaults;
import dev.lethe.format.huggingface.HfConfig;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What is special about a family of decoders. A new family is one more entry of the list
 * here; what differs in more than names and flags needs its own operations first.
 *
 * @param defaults its {@code model_type}, and what absent fields of {@code config.json} mean
 * @param architecture the causal language model's class in transformers
 * @param biases linear layers that always have a bias
 * @param traits what else it does otherwise than Llama
 * @param names what its weights are called
 */
public record ModelFamily(
    ConfigDefaults defaults,
    String architecture,
    Set<Projection> biases,
    Set<Trait> traits,
    WeightNames names) {
  private static final Set<Projection> ATTENTION =
      EnumSet.of(Projection.QUERY, Projection.KEY, Projection.VALUE, Projection.OUTPUT);
  private static final Set<Projection> MLP =
      EnumSet.of(Projection.GATE, Projection.UP, Projection.DOWN);

  /** What transformers calls the functions of gated units. */
  private static final Map<String, Nonlinearity> ACTIVATIONS =
      Map.of(
          "silu", Nonlinearity.SILU,
          "swish", Nonlinearity.SILU,
          "gelu", Nonlinearity.GELU,
          "gelu_new", Nonlinearity.GELU_TANH,
          "gelu_pytorch_tanh", Nonlinearity.GELU_TANH);

  /** All families. */
  public static final List<ModelFamily> ALL =
      List.of(
          new ModelFamily(
              ConfigDefaults.LLAMA, "LlamaForCausalLM", Set.of(), Set.of(), WeightNames.LLAMA),
          new ModelFamily(
              ConfigDefaults.MISTRAL,
              "MistralForCausalLM",
              Set.of(),
              Set.of(),
              WeightNames.LLAMA),
          new ModelFamily(
              ConfigDefaults.QWEN2,
              "Qwen2ForCausalLM",
              Set.of(Projection.QUERY, Projection.KEY, Projection.VALUE),
              Set.of(),
              WeightNames.LLAMA),
          new ModelFamily(
              ConfigDefaults.QWEN3,
              "Qwen3ForCausalLM",
              Set.of(),
              Set.of(Trait.NORMS_OF_EACH_HEAD),
              WeightNames.QWEN3),
          new ModelFamily(
              ConfigDefaults.OLMO2, "Olmo2ForCausalLM", Set.of(), Set.of(), WeightNames.OLMO2),
          new ModelFamily(
              ConfigDefaults.GEMMA3,
              "Gemma3ForCausalLM",
              Set.of(),
              Set.of(Trait.NORMS_OF_EACH_HEAD, Trait.NORMS_ADD_ONE, Trait.SCALED_EMBEDDING),
              WeightNames.GEMMA3),
          new ModelFamily(
              ConfigDefaults.GPT2,
              "GPT2LMHeadModel",
              WeightNames.GPT2.projections().keySet(),
              Set.of(Trait.LAYER_NORMS, Trait.TRANSPOSED_WEIGHTS),
              WeightNames.GPT2),
          new ModelFamily(
              ConfigDefaults.PHI3, "Phi3ForCausalLM", Set.of(), Set.of(), WeightNames.PHI3));

  /** What a family does otherwise than Llama. */
  public enum Trait {
    /** The norms of queries and keys are taken over each head, not over all heads together. */
    NORMS_OF_EACH_HEAD,
    /** A norm multiplies by 1 + w. */
    NORMS_ADD_ONE,
    /** The embedding is multiplied by √D. */
    SCALED_EMBEDDING,
    /** Norms are layer norms, with biases. */
    LAYER_NORMS,
    /** Linear weights are stored (in,out), as transformers' {@code Conv1D} has them. */
    TRANSPOSED_WEIGHTS
  }

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
        ACTIVATIONS.get(config.hiddenAct()),
        config.numAttentionHeads(),
        config.numKeyValueHeads(),
        config.headDim(),
        config.vocabSize(),
        config.rope() == null
            ? config.maxPositionEmbeddings()
            : config.rope().positions(config.maxPositionEmbeddings()),
        config.rmsNormEps(),
        config.rope(),
        config.localRope(),
        config.queryPreAttnScalar(),
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
    if (!ACTIVATIONS.containsKey(config.hiddenAct())) {
      throw refused(
          where,
          config.rope() == null ? "activation_function" : "hidden_act",
          "one of " + String.join(", ", new TreeSet<>(ACTIVATIONS.keySet())),
          config.hiddenAct(),
          "Use a model with units of these functions.");
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
