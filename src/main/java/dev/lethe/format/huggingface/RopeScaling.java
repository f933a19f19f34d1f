package dev.lethe.format.huggingface;

import java.util.List;

/** How rotary frequencies are stretched to a longer context. */
public sealed interface RopeScaling {
  /** Not at all. {@code dynamic} is this too within {@code max_position_embeddings}. */
  record None() implements RopeScaling {}

  /** All frequencies are divided by the factor (Chen et al., arXiv 2306.15595). */
  record Linear(double factor) implements RopeScaling {}

  /**
   * Llama 3.1's rule, which leaves fast frequencies alone.
   *
   * @param factor how much longer
   * @param lowFreqFactor wavelengths above original / this are stretched fully
   * @param highFreqFactor wavelengths below original / this are left alone
   * @param original the context before stretching
   */
  record Llama3(double factor, double lowFreqFactor, double highFreqFactor, long original)
      implements RopeScaling {}

  /**
   * YaRN (Peng et al., arXiv 2309.00071).
   *
   * @param betaFast turns over the original context above which a pair is left alone
   * @param betaSlow turns below which it is stretched fully
   * @param truncate whether the bounds are rounded to whole pairs
   * @param attentionFactor by which cosines and sines are multiplied
   */
  record Yarn(
      double factor,
      long original,
      double betaFast,
      double betaSlow,
      boolean truncate,
      double attentionFactor)
      implements RopeScaling {}

  /**
   * LongRoPE (Ding et al., arXiv 2402.13753) within the original context.
   *
   * @param shortFactors by which each pair's frequency is divided
   * @param original the context in which these factors hold; beyond it, others would
   * @param attentionFactor by which cosines and sines are multiplied
   */
  record LongRope(List<Double> shortFactors, long original, double attentionFactor)
      implements RopeScaling {
    public LongRope {
      shortFactors = List.copyOf(shortFactors);
    }
  }
}
