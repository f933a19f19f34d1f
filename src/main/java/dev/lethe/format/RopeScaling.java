package dev.lethe.format;

import dev.lethe.format.FormatException.Kind;

/**
 * How rotary frequencies are stretched to a longer context, from {@code rope_scaling} or
 * transformers 5's {@code rope_parameters}.
 *
 * @param type the rule's name, as in {@code linear} or {@code llama3}
 * @param factor how much longer
 * @param lowFreqFactor llama3: wavelengths above original / this are stretched fully
 * @param highFreqFactor llama3: wavelengths below original / this are left alone
 * @param originalMaxPositionEmbeddings llama3: the context before stretching; 0 where not given
 */
public record RopeScaling(
    String type,
    double factor,
    double lowFreqFactor,
    double highFreqFactor,
    long originalMaxPositionEmbeddings) {

  /** The scaling of a config's rope object; null where the type is "default" or there is none. */
  static RopeScaling parse(JsonFields rope) {
    if (rope == null) {
      return null;
    }
    String type = rope.stringOr("rope_type", rope.stringOr("type", "default"));
    if (type.equals("default")) {
      return null;
    }
    boolean llama3 = type.equals("llama3");
    if (llama3) {
      rope.required("low_freq_factor");
      rope.required("high_freq_factor");
      rope.required("original_max_position_embeddings");
    }
    rope.required("factor");
    RopeScaling scaling =
        new RopeScaling(
            type,
            rope.numberOr("factor", 1, 1, 1e6),
            rope.numberOr("low_freq_factor", 1, 1e-6, 1e6),
            rope.numberOr("high_freq_factor", 1, 1e-6, 1e6),
            rope.integerOr("original_max_position_embeddings", 0, 1, HfConfig.MAX_DIM << 4));
    if (llama3 && scaling.highFreqFactor <= scaling.lowFreqFactor) {
      throw new Place(rope.where()).refuse(
          Kind.OUT_OF_RANGE, "high_freq_factor must be above low_freq_factor",
          "above " + scaling.lowFreqFactor, String.valueOf(scaling.highFreqFactor));
    }
    return scaling;
  }
}
