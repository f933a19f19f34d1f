package dev.lethe.format.huggingface;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.JsonFields;
import dev.lethe.format.Place;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a Hugging Face {@code config.json} says about a decoder. Absent fields take the default of
 * transformers' config class for the {@code model_type}. Every field is used, known to be harmless
 * or refused ({@code docs/formats.md}); every size is positive and bounded, so that nobody allocates
 * by an untrusted number.
 *
 * @param rope the rotary positions; null: positions are learned
 * @param localRope those of layers with a window, where they differ; null: the same
 * @param windows the sliding window of each layer in tokens; 0: none
 * @param queryPreAttnScalar attention's scale is its −½th power
 * @param bosTokenId −1 where none
 * @param eosTokenIds empty where none
 * @param dtype the weights' format as the file names it, null where it does not
 * @param nf4 whether linear layers are packed in NF4 by bitsandbytes
 */
public record HfConfig(
    ConfigDefaults defaults,
    List<String> architectures,
    long hiddenSize,
    long intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    int headDim,
    long vocabSize,
    long maxPositionEmbeddings,
    double rmsNormEps,
    Rope rope,
    Rope localRope,
    boolean tieWordEmbeddings,
    boolean attentionBias,
    boolean mlpBias,
    List<Integer> windows,
    String hiddenAct,
    double queryPreAttnScalar,
    int bosTokenId,
    List<Integer> eosTokenIds,
    String dtype,
    boolean nf4) {
  static final long MAX_DIM = 1 << 20;
  static final int MAX_VOCABULARY = 10_000_000;
  static final int MAX_LAYERS = 10_000;
  static final int MAX_HEADS = 1 << 16;
  private static final Set<String> DTYPES =
      Set.of("float64", "float32", "float16", "bfloat16");

  /** Fields that may be absent but not null: transformers refuses that too. */
  private static final List<String> NOT_NULL =
      List.of(
          "rms_norm_eps", "hidden_act", "hidden_activation", "query_pre_attn_scalar",
          "max_position_embeddings", "tie_word_embeddings", "attention_bias", "mlp_bias", "use_sliding_window", "max_window_layers");

  public HfConfig {
    architectures = List.copyOf(architectures);
    windows = List.copyOf(windows);
    eosTokenIds = List.copyOf(eosTokenIds);
  }

  /** {@code model_type}. */
  public String modelType() {
    return defaults.modelType();
  }

  /** Reads and checks the fields of a {@code config.json}. */
  public static HfConfig parse(ObjectNode json, String where) {
    JsonFields f = new JsonFields(json, where);
    ConfigDefaults defaults = ConfigDefaults.of(f);
    ModelConfigFields.POLICY.check(f, defaults.modelType());
    f.requireNotNull(NOT_NULL);
    boolean nf4 = Quantization.isNf4(f);
    if (defaults.equals(ConfigDefaults.GPT2)) {
      if (nf4) {
        throw f.unsupported("quantization_config", "packed weights of GPT-2", "Use its float weights");
      }
      return Gpt2Config.parse(f, defaults);
    }
    long hidden = f.integer("hidden_size", 1, MAX_DIM);
    int layers = (int) f.integer("num_hidden_layers", 1, MAX_LAYERS);
    int heads = (int) f.integer("num_attention_heads", 1, MAX_HEADS);
    int headDim = headDim(f, defaults, hidden, heads);
    long positions =
        f.integerOr("max_position_embeddings", defaults.positions(), 1, MAX_DIM << 4);
    boolean gemma = defaults.equals(ConfigDefaults.GEMMA3);
    RopeReader ropes = new RopeReader(f, defaults, positions, headDim);
    return new HfConfig(
        defaults,
        f.strings("architectures"),
        hidden,
        f.integer("intermediate_size", 1, MAX_DIM),
        layers,
        heads,
        keyValueHeads(f, defaults, heads),
        headDim,
        f.integer("vocab_size", 1, MAX_VOCABULARY),
        positions,
        f.numberOr("rms_norm_eps", defaults.normEps(), 0, 1),
        gemma ? ropes.readGlobal() : ropes.read(),
        gemma ? ropes.readLocal() : null,
        f.flagOr("tie_word_embeddings", defaults.tied()),
        f.flagOr("attention_bias", false),
        f.flagOr("mlp_bias", false),
        LayerWindows.of(f, defaults, layers),
        f.stringOr(gemma ? "hidden_activation" : "hidden_act", defaults.activation()),
        gemma ? f.numberOr("query_pre_attn_scalar", 256, 1e-6, MAX_DIM) : headDim,
        TokenIds.one(f, "bos_token_id", defaults.bos()),
        TokenIds.oneOrMore(f, "eos_token_id", defaults.eos()),
        dtype(f),
        nf4);
  }

  /** The same with other tokens that end a text. */
  HfConfig withEosTokenIds(List<Integer> ids) {
    return new HfConfig(
        defaults, architectures, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads,
        numKeyValueHeads, headDim, vocabSize, maxPositionEmbeddings, rmsNormEps, rope,
        localRope, tieWordEmbeddings, attentionBias, mlpBias, windows, hiddenAct,
        queryPreAttnScalar, bosTokenId, ids, dtype, nf4);
  }

  /** The same with a head of its own. */
  public HfConfig untied() {
    return new HfConfig(
        defaults, architectures, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads,
        numKeyValueHeads, headDim, vocabSize, maxPositionEmbeddings, rmsNormEps, rope,
        localRope, false, attentionBias, mlpBias, windows, hiddenAct,
        queryPreAttnScalar, bosTokenId, eosTokenIds, dtype, nf4);
  }

  private static int keyValueHeads(JsonFields f, ConfigDefaults defaults, int heads) {
    boolean absent = !f.node().has("num_key_value_heads");
    int fallback = absent && defaults.keyHeads() > 0 ? defaults.keyHeads() : heads;
    int keyHeads = (int) f.integerOr("num_key_value_heads", fallback, 1, MAX_HEADS);
    if (heads % keyHeads != 0) {
      throw new Place(f.where()).refuse(
          Kind.OUT_OF_RANGE, "num_key_value_heads does not divide num_attention_heads",
          "a divisor of " + heads, String.valueOf(keyHeads));
    }
    return keyHeads;
  }

  private static int headDim(JsonFields f, ConfigDefaults defaults, long hidden, int heads) {
    if (!f.has("head_dim") && defaults.headDim() == 0 && hidden % heads != 0) {
      throw new Place(f.where()).refuse(
          Kind.OUT_OF_RANGE, "num_attention_heads does not divide hidden_size and head_dim is absent",
          "a divisor of " + hidden, String.valueOf(heads));
    }
    long fallback = defaults.headDim() > 0 ? defaults.headDim() : Math.max(1, hidden / heads);
    long dim = f.integerOr("head_dim", fallback, 1, 1 << 14);
    if (dim % 2 != 0) {
      throw f.outOfRange("head_dim", f.node().path("head_dim"), "an even number, not " + dim);
    }
    return (int) dim;
  }

  static String dtype(JsonFields f) {
    String dtype = f.stringOr("dtype", f.stringOr("torch_dtype", null));
    if (dtype != null && !dtype.equals(f.stringOr("torch_dtype", dtype))) {
      throw f.unsupported("torch_dtype", "another format than dtype", "Delete one of the two");
    }
    if (dtype != null && !DTYPES.contains(dtype)) {
      throw f.unsupported(
          f.has("dtype") ? "dtype" : "torch_dtype",
          "a format that is none of " + String.join(", ", DTYPES.stream().sorted().toList()),
          "Convert the model to F32, F16 or BF16");
    }
    return dtype;
  }
}
