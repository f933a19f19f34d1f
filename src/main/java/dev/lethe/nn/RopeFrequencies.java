package dev.lethe.nn;

import dev.lethe.format.RopeScaling;

/**
 * The inverse frequencies of a rotary embedding, computed in float64. Pair j of a head of size d
 * turns by θ^(−2j/d) a position (Su et al., arXiv 2104.09864); {@code linear} divides all of them
 * by the factor (Chen et al., arXiv 2306.15595), {@code llama3} only the slow ones, as
 * transformers' {@code _compute_llama3_parameters} does.
 */
final class RopeFrequencies {
  private RopeFrequencies() {}

  /** The angle by which each pair of a head turns from one position to the next, (headSize/2). */
  static double[] of(TransformerSpec spec) {
    double[] frequencies = new double[spec.headSize() / 2];
    for (int j = 0; j < frequencies.length; j++) {
      double plain = Math.pow(spec.ropeTheta(), -2.0 * j / spec.headSize());
      frequencies[j] = stretched(plain, spec.ropeScaling());
    }
    return frequencies;
  }

  private static double stretched(double frequency, RopeScaling scaling) {
    return switch (scaling == null ? "default" : scaling.type()) {
      case "default" -> frequency;
      case "linear" -> frequency / scaling.factor();
      case "llama3" -> llama3(frequency, scaling);
      default -> throw new IllegalArgumentException("rotary scaling " + scaling);
    };
  }

  private static double llama3(double frequency, RopeScaling s) {
    double turns = s.originalMaxPositionEmbeddings() * frequency / (2 * Math.PI);
    if (turns < s.lowFreqFactor()) {
      return frequency / s.factor();
    }
    if (turns > s.highFreqFactor()) {
      return frequency;
    }
    double smooth = (turns - s.lowFreqFactor()) / (s.highFreqFactor() - s.lowFreqFactor());
    return (1 - smooth) * frequency / s.factor() + smooth * frequency;
  }
}
