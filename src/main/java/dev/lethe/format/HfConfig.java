package dev.lethe.format;

import dev.lethe.format.FormatException.Kind;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a Hugging Face {@code config.json} says about a transformer of the Llama family. Absent
 * fields take the default of transformers' config class for the {@code model_type}. Every size is
 * positive and bounded, so that nobody allocates by an untrusted number.
 *
 * @param ropeScaling null where positions are not stretched
 * @param slidingWindow the window in tokens as the file has it, null where it has none
 * @param useSlidingWindow whether some layer attends within the window only
 * @param maxWindowLayers Qwen2: layers below this attend to everything
 * @param layerTypes transformers 5: the kind of attention of each layer; empty where not given
 * @param bosTokenId −1 where none
 * @param eosTokenIds empty where none
 * @param dtype the weights' format as the file names it, null where it does not
 */
public record HfConfig(
    List<String> architectures,
    String modelType,
    long hiddenSize,
    long intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    int headDim,
    long vocabSize,
    long maxPositionEmbeddings,
    double rmsNormEps,
    double ropeTheta,
    RopeScaling ropeScaling,
    boolean tieWordEmbeddings,
    boolean attentionBias,
    boolean mlpBias,
    Long slidingWindow,
    boolean useSlidingWindow,
    int maxWindowLayers,
    List<String> layerTypes,
    String hiddenAct,
    int bosTokenId,
    List<Integer> eosTokenIds,
    String dtype) {
  static final long MAX_DIM = 1 << 20;
  private static final long MAX_VOCABULARY = 10_000_000;
  private static final int MAX_LAYERS = 10_000;
  private static final int MAX_HEADS = 1 << 16;

  /** Reads and checks the fields of a {@code config.json}. */
  public static HfConfig parse(ObjectNode json, String where) {
    JsonFields f = new JsonFields(json, where);
    refuseWhatIsNotRead(f);
    String type = modelType(f);
    long hidden = f.integer("hidden_size", 1, MAX_DIM);
    int layers = (int) f.integer("num_hidden_layers", 1, MAX_LAYERS);
    int heads = (int) f.integer("num_attention_heads", 1, MAX_HEADS);
    int keyHeads = keyValueHeads(f, type, heads);
    JsonFields rope = rope(f);
    List<String> layerTypes = f.strings("layer_types");
    return new HfConfig(
        f.strings("architectures"),
        type,
        hidden,
        f.integer("intermediate_size", 1, MAX_DIM),
        layers,
        heads,
        keyHeads,
        headDim(f, hidden, heads),
        f.integer("vocab_size", 1, MAX_VOCABULARY),
        f.integerOr("max_position_embeddings", defaultPositions(type), 1, MAX_DIM << 4),
        f.numberOr("rms_norm_eps", 1e-6, 0, 1),
        ropeTheta(f, rope),
        RopeScaling.parse(rope),
        f.flagOr("tie_word_embeddings", false),
        f.flagOr("attention_bias", false),
        f.flagOr("mlp_bias", false),
        window(f, type),
        usesWindow(f, type, layerTypes),
        (int) f.integerOr("max_window_layers", 28, 0, MAX_LAYERS),
        layerTypes,
        f.stringOr("hidden_act", "silu"),
        bosTokenId(f),
        f.oneOrMoreIntegers("eos_token_id", 0, (int) MAX_VOCABULARY),
        f.stringOr("dtype", f.stringOr("torch_dtype", null)));
  }

  private static String modelType(JsonFields f) {
    f.required("model_type");
    return f.stringOr("model_type", "");
  }

  private static void refuseWhatIsNotRead(JsonFields f) {
    if (f.has("quantization_config")) {
      throw f.unsupported(
          "quantization_config", "quantized weights", "Use the model in F32, F16 or BF16");
    }
    JsonFields rope = rope(f);
    for (JsonFields part : rope == null ? List.of(f) : List.of(f, rope)) {
      if (part.numberOr("partial_rotary_factor", 1, 0, 1) != 1) {
        throw part.unsupported(
            "partial_rotary_factor",
            "rotary positions on a part of each head",
            "Use a model of the Llama family");
      }
    }
  }

  private static int keyValueHeads(JsonFields f, String type, int heads) {
    int fallback =
        switch (type) {
          case "mistral" -> 8;
          case "qwen2" -> 32;
          default -> heads;
        };
    int keyHeads = (int) f.integerOr("num_key_value_heads", fallback, 1, MAX_HEADS);
    if (heads % keyHeads != 0) {
      throw new Place(f.where()).refuse(
          Kind.OUT_OF_RANGE, "num_key_value_heads does not divide num_attention_heads",
          "a divisor of " + heads, String.valueOf(keyHeads));
    }
    return keyHeads;
  }

  private static int headDim(JsonFields f, long hidden, int heads) {
    if (!f.has("head_dim") && hidden % heads != 0) {
      throw new Place(f.where()).refuse(
          Kind.OUT_OF_RANGE, "num_attention_heads does not divide hidden_size and head_dim is absent",
          "a divisor of " + hidden, String.valueOf(heads));
    }
    long dim = f.integerOr("head_dim", Math.max(1, hidden / heads), 1, 1 << 14);
    if (dim % 2 != 0) {
      throw f.outOfRange("head_dim", f.node().path("head_dim"), "an even number, not " + dim);
    }
    return (int) dim;
  }

  private static JsonFields rope(JsonFields f) {
    JsonFields rope = f.objectOrNull("rope_parameters");
    if (rope == null) {
      return f.objectOrNull("rope_scaling");
    }
    for (JsonNode value : rope.node()) {
      if (value.isObject()) {
        throw f.unsupported(
            "rope_parameters",
            "different rotary frequencies by layer",
            "Use a model of the Llama family");
      }
    }
    return rope;
  }

  private static double ropeTheta(JsonFields f, JsonFields rope) {
    double outer = f.numberOr("rope_theta", 10000, 1, 1e12);
    return rope == null ? outer : rope.numberOr("rope_theta", outer, 1, 1e12);
  }

  private static Long window(JsonFields f, String type) {
    if (f.node().has("sliding_window")) {
      return f.has("sliding_window") ? f.integer("sliding_window", 1, MAX_DIM << 4) : null;
    }
    return type.equals("mistral") || type.equals("qwen2") ? 4096L : null;
  }

  /** Mistral uses its window wherever it has one, Qwen2 where the flag says so. */
  private static boolean usesWindow(JsonFields f, String type, List<String> layerTypes) {
    if (!layerTypes.isEmpty()) {
      return layerTypes.contains("sliding_attention");
    }
    return f.flagOr("use_sliding_window", type.equals("mistral")) && window(f, type) != null;
  }

  private static int bosTokenId(JsonFields f) {
    return (int) f.integerOr("bos_token_id", -1, 0, MAX_VOCABULARY);
  }

  private static long defaultPositions(String type) {
    return switch (type) {
      case "mistral" -> 131072;
      case "qwen2" -> 32768;
      default -> 2048;
    };
  }
}
