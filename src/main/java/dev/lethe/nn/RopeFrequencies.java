package dev.lethe.nn;

import dev.lethe.format.huggingface.Rope;
import dev.lethe.format.huggingface.RopeScaling;

/**
 * The inverse frequencies of a rotary embedding, computed in float64. Pair j of r
 * numbers that turn has θ^(−2j/r) a position (Su et al., arXiv 2104.09864), and the scalings change that as
 * transformers' {@code modeling_rope_utils} does.
 */
final class RopeFrequencies {
  private RopeFrequencies() {}

  /** The angle by which each pair turns from one position to the next, (width/2). */
  static double[] of(Rope rope) {
    double[] frequencies = new double[rope.width() / 2];
    for (int j = 0; j < frequencies.length; j++) {
      double plain = Math.pow(rope.theta(), -2.0 * j / rope.width());
      frequencies[j] =
          switch (rope.scaling()) {
            case RopeScaling.None _ -> plain;
            case RopeScaling.Linear linear -> plain / linear.factor();
            case RopeScaling.Llama3 llama3 -> llama3(plain, llama3);
            case RopeScaling.Yarn yarn -> yarn(plain, j, yarn, rope.theta(), rope.width());
            case RopeScaling.LongRope longRope -> plain / longRope.shortFactors().get(j);
          };
    }
    return frequencies;
  }

  /** By which cosines and sines are multiplied. */
  static double factor(Rope rope) {
    return switch (rope.scaling()) {
      case RopeScaling.Yarn yarn -> yarn.attentionFactor();
      case RopeScaling.LongRope longRope -> longRope.attentionFactor();
      default -> 1;
    };
  }

  private static double llama3(double frequency, RopeScaling.Llama3 s) {
    double turns = s.original() * frequency / (2 * Math.PI);
    if (turns < s.lowFreqFactor()) {
      return frequency / s.factor();
    }
    if (turns > s.highFreqFactor()) {
      return frequency;
    }
    double smooth = (turns - s.lowFreqFactor()) / (s.highFreqFactor() - s.lowFreqFactor());
    return (1 - smooth) * frequency / s.factor() + smooth * frequency;
  }

  /** Between pair {@code low} and pair {@code high}, from left alone to fully stretched. */
  private static double yarn(double frequency, int j, RopeScaling.Yarn s, double theta, int size) {
    double low = pairThatTurns(s.betaFast(), s, theta, size);
    double high = pairThatTurns(s.betaSlow(), s, theta, size);
    low = Math.max(s.truncate() ? Math.floor(low) : low, 0);
    high = Math.min(s.truncate() ? Math.ceil(high) : high, size - 1.0);
    double width = low == high ? 0.001 : high - low;
    double stretched = Math.clamp((j - low) / width, 0, 1);
    return frequency / s.factor() * stretched + frequency * (1 - stretched);
  }

  /** The pair, as a real number, that turns so often within the original context. */
  private static double pairThatTurns(double turns, RopeScaling.Yarn s, double theta, int size) {
    return size * Math.log(s.original() / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
  }
}
