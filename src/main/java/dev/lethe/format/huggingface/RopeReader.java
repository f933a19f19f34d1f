package dev.lethe.format.huggingface;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.Place;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * Reads rotary positions from {@code rope_scaling} or transformers 5's {@code rope_parameters}, as
 * transformers 5.17 does ({@code modeling_rope_utils}), and refuses what differs between the two
 * places, unknown rules, and fields that a rule does not have. Phi-3 alone turns a part of each head, and
 * has older names of LongRoPE.
 */
final class RopeReader {
  private static final double DEFAULT_THETA = 10000;
  private static final double GLOBAL_THETA = 1_000_000;
  private static final String PARAMETERS = "rope_parameters";
  private static final double MAX_THETA = 1e12;
  private static final double MAX_FACTOR = 1e6;
  private static final long MAX_POSITIONS = HfConfig.MAX_DIM << 4;
  private static final String PART = "partial_rotary_factor";
  private static final String LONG = "longrope";
  private static final Set<String> COMMON = Set.of("type", "rope_type", "rope_theta", PART);

  /** What Phi-3 calls LongRoPE, {@code yarn} among it. */
  private static final Set<String> LONG_NAMES = Set.of("su", "yarn", LONG);
  private static final String CORRECT = "Correct config.json, or fetch it again";

  private final JsonFields config;
  private final long context;
  private final int headDim;
  private final boolean phi;

  RopeReader(JsonFields config, ConfigDefaults defaults, long context, int headDim) {
    this.config = config;
    this.phi = defaults.equals(ConfigDefaults.PHI3);
    this.context = context;
    this.headDim = headDim;
  }

  /** The rotary positions of all layers. */
  Rope read() {
    JsonFields five = object(config, PARAMETERS);
    if (five != null && five.node().valueStream().anyMatch(JsonNode::isObject)) {
      throw config.unsupported(
          PARAMETERS, "different rotary frequencies by layer", "Use a family that has them");
    }
    return agreed(five, "rope_theta", DEFAULT_THETA);
  }

  /** The rotary positions of layers without a window, in a family with two kinds. */
  Rope readGlobal() {
    return agreed(layersOf("full_attention"), "rope_theta", GLOBAL_THETA);
  }

  /** The rotary positions of layers with a window, in a family with two kinds. */
  Rope readLocal() {
    return rope(layersOf("sliding_attention"), "rope_local_base_freq", DEFAULT_THETA);
  }

  private JsonFields layersOf(String type) {
    JsonFields five = object(config, PARAMETERS);
    if (five == null) {
      return null;
    }
    for (String field : five.node().propertyNames()) {
      if (!Set.of("full_attention", "sliding_attention").contains(field)) {
        throw five.unsupported(
            field, "one rotary frequency for all layers, where this family has two", CORRECT);
      }
    }
    return object(five, type);
  }

  /** What transformers 5's place says, or the older one; refused where they differ. */
  private Rope agreed(JsonFields five, String theta, double defaultTheta) {
    JsonFields old = object(config, "rope_scaling");
    Rope read = rope(old == null ? five : old, theta, defaultTheta);
    if (old != null && five != null && !read.equals(rope(five, theta, defaultTheta))) {
      throw config.unsupported(
          "rope_scaling", "other rotary positions than field 'rope_parameters'", CORRECT);
    }
    return read;
  }

  private static JsonFields object(JsonFields f, String field) {
    JsonFields object = f.objectOrNull(field);
    return object == null || object.node().isEmpty() ? null : object;
  }

  /**
   * @param rope null: nothing but a base
   * @param outer where config.json itself has the base
   */
  private Rope rope(JsonFields rope, String outer, double defaultTheta) {
    double theta = config.numberOr(outer, defaultTheta, 1, MAX_THETA);
    if (rope == null) {
      return new Rope(theta, width(config), new RopeScaling.None());
    }
    double inner = rope.numberOr("rope_theta", theta, 1, MAX_THETA);
    if (inner != theta && config.has(outer)) {
      throw rope.unsupported("rope_theta", "another base than config.json's own " + outer, CORRECT);
    }
    int width = width(rope);
    return new Rope(inner, width, scaling(rope, inner, width));
  }

  /** How many numbers of a head turn. */
  private int width(JsonFields rope) {
    double outer = config.numberOr(PART, 1, 0, 1);
    double part = rope.numberOr(PART, outer, 0, 1);
    if (part != outer && config.has(PART)) {
      throw rope.unsupported(PART, "another part of each head than config.json's own field", CORRECT);
    }
    if (part != 1 && !phi) {
      throw rope.unsupported(
          PART, "rotary positions on a part of each head, which transformers does not compute here",
          "Use a Phi-3 or Phi-4 model");
    }
    int width = (int) (headDim * part);
    if (width < 2 || width % 2 != 0) {
      throw new Place(rope.where()).refuse(
          Kind.OUT_OF_RANGE, PART + " makes no whole pairs of a head of " + headDim,
          "an even number of its numbers", String.valueOf(width));
    }
    return width;
  }

  private RopeScaling scaling(JsonFields rope, double theta, int width) {
    String type = rope.stringOr("rope_type", rope.stringOr("type", "default"));
    if (!type.equals(rope.stringOr("type", type))) {
      throw rope.unsupported("type", "another rule than rope_type", CORRECT);
    }
    if (phi && LONG_NAMES.contains(type)) {
      return longRope(rope, width);
    }
    if (phi && !type.equals("default")) {
      throw unknown(rope, type, "default or longrope");
    }
    return switch (type) {
      case "default" -> {
        only(rope, type, Set.of());
        yield new RopeScaling.None();
      }
      case "dynamic" -> {
        only(rope, type, Set.of("factor"));
        factor(rope);
        yield new RopeScaling.None();
      }
      case "linear" -> {
        only(rope, type, Set.of("factor"));
        yield new RopeScaling.Linear(factor(rope));
      }
      case "llama3" -> llama3(rope);
      case "yarn" -> yarn(rope, theta);
      case LONG -> longRope(rope, width);
      default -> throw unknown(rope, type, "default, dynamic, linear, llama3, longrope or yarn");
    };
  }

  private static FormatException unknown(JsonFields rope, String type, String known) {
    return rope.unsupported(
        rope.has("rope_type") ? "rope_type" : "type",
        "rotary scaling '" + type + "'",
        "Use a model with " + known);
  }

  private RopeScaling llama3(JsonFields rope) {
    only(
        rope,
        "llama3",
        Set.of(
            "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"));
    double low = rope.number("low_freq_factor", rope.required("low_freq_factor"), 1e-6, MAX_FACTOR);
    double high =
        rope.number("high_freq_factor", rope.required("high_freq_factor"), 1e-6, MAX_FACTOR);
    if (high <= low) {
      throw new Place(rope.where()).refuse(
          Kind.OUT_OF_RANGE, "high_freq_factor must be above low_freq_factor",
          "above " + low, String.valueOf(high));
    }
    return new RopeScaling.Llama3(factor(rope), low, high, original(rope));
  }

  private RopeScaling yarn(JsonFields rope, double theta) {
    only(
        rope,
        "yarn",
        Set.of(
            "factor", "original_max_position_embeddings", "attention_factor", "beta_fast",
            "beta_slow", "mscale", "mscale_all_dim", "truncate", "finetuned"));
    double factor = factor(rope);
    double mscale = rope.numberOr("mscale", 0, 0, MAX_FACTOR);
    double mscaleAll = rope.numberOr("mscale_all_dim", 0, 0, MAX_FACTOR);
    boolean both = mscale != 0 && mscaleAll != 0;
    double attention = both ? spread(factor, mscale) / spread(factor, mscaleAll) : spread(factor, 1);
    double fast = rope.numberOr("beta_fast", 32, 0, MAX_FACTOR);
    double slow = rope.numberOr("beta_slow", 1, 0, MAX_FACTOR);
    if (theta == 1) {
      throw rope.outOfRange("rope_theta", rope.node().path("rope_theta"), "above 1 with yarn");
    }
    return new RopeScaling.Yarn(
        factor,
        original(rope),
        fast == 0 ? 32 : fast,
        slow == 0 ? 1 : slow,
        rope.flagOr("truncate", true),
        rope.numberOr("attention_factor", attention, 0, MAX_FACTOR));
  }

  /** The factor that keeps the spread of attention scores, 0.1 m ln s + 1. */
  private static double spread(double factor, double mscale) {
    return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
  }

  private RopeScaling longRope(JsonFields rope, int width) {
    only(
        rope,
        LONG,
        Set.of(
            "short_factor", "long_factor", "factor", "attention_factor",
            "original_max_position_embeddings"));
    List<Double> shortFactors = factors(rope, "short_factor", width);
    factors(rope, "long_factor", width);
    long original = original(rope);
    double factor = rope.numberOr("factor", (double) context / original, 1e-6, MAX_FACTOR);
    double attention = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
    return new RopeScaling.LongRope(
        shortFactors, original, rope.numberOr("attention_factor", attention, 0, MAX_FACTOR));
  }

  private List<Double> factors(JsonFields rope, String field, int width) {
    JsonNode list = rope.required(field);
    if (!list.isArray()) {
      throw rope.wrongType(field, list, "a list of numbers");
    }
    if (list.size() != width / 2) {
      throw new Place(rope.where()).refuse(
          Kind.OUT_OF_RANGE, "field '" + field + "' has another length than half of what turns",
          width / 2 + " numbers", list.size() + " numbers");
    }
    List<Double> factors = new ArrayList<>();
    list.forEach(value -> factors.add(rope.number(field, value, 1e-6, MAX_FACTOR)));
    return factors;
  }

  private static double factor(JsonFields rope) {
    return rope.number("factor", rope.required("factor"), 1, MAX_FACTOR);
  }

  /** The context before stretching: given in one of two places, or the model's own; Phi-3 has a default. */
  private long original(JsonFields rope) {
    String field = "original_max_position_embeddings";
    long outer =
        config.integerOr(field, phi ? ConfigDefaults.PHI3.positions() : context, 2, MAX_POSITIONS);
    long inner = rope.integerOr(field, outer, 2, MAX_POSITIONS);
    if (inner != outer && (phi || config.has(field))) {
      throw rope.unsupported(
          field, "another context than config.json's own field, which is " + outer, CORRECT);
    }
    return inner;
  }

  private static void only(JsonFields rope, String type, Set<String> fields) {
    for (String field : rope.node().propertyNames()) {
      if (!COMMON.contains(field) && !fields.contains(field) && rope.has(field)) {
        throw rope.unsupported(field, "what rotary scaling '" + type + "' does not have", CORRECT);
      }
    }
  }
}
