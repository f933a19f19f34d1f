package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * One optimizer step of a recorded run together with k runs that differ from it by a change of the gradient,
 * in one pass over memory. All vectors are in {@link Backend#vectorType}, except that the recorded gradient
 * may also be BF16. The recorded run takes exactly the step that training takes. A run whose change is zero
 * and whose factor and step are the recorded run's, and which equals it before, equals it afterwards to the
 * bit.
 */
public interface ReplayKernels {
  /**
   * AdamW, as {@link VectorKernels#adamW} does it, from clip·g and from clips[j]·(g + change[j]).
   *
   * @param recorded (P), updated
   * @param runs (k,P), updated
   * @param difference runs.theta − recorded.theta after the step, (k,P) out
   */
  void adamW(
      VectorKernels.AdamW options, Step step, AdamWState recorded, AdamWState runs, Tensor difference);

  /**
   * The same for stochastic gradient descent: g ← g + weightDecay·θ, b ← momentum·b + g, θ ← θ − lr·b.
   *
   * @param recorded (P), updated
   * @param runs (k,P), updated
   * @param difference runs.theta − recorded.theta after the step, (k,P) out
   */
  void sgd(Sgd options, Step step, SgdState recorded, SgdState runs, Tensor difference);

  /**
   * Squared norms before clipping, accumulated in double: ‖g‖² in the first place and ‖g + change[j]‖² in
   * place 1+j. Equal vectors have equal norms to the bit, and where g is in the vector type, the first is what
   * {@link VectorKernels#dot} gives.
   *
   * @param g (P), BF16 or vector type
   * @param change (k,P)
   * @param norms out, 1+k places
   */
  void squaredNorms(Tensor g, Tensor change, double[] norms);

  /**
   * What all runs of a step get.
   *
   * @param learningRate of all
   * @param g recorded gradient (P) before clipping, BF16 or vector type
   * @param clip factor of the recorded gradient
   * @param number of the recorded run's step, 1 for the first
   * @param change (k,P)
   * @param clips factor of each changed gradient, k places
   * @param numbers of each run's step, k places; a run whose number is 0 takes no step
   */
  record Step(
      double learningRate,
      Tensor g,
      double clip,
      long number,
      Tensor change,
      double[] clips,
      long[] numbers) {}

  /** Parameters and moments, each (P) of one run or (k,P) of k. */
  record AdamWState(Tensor theta, Tensor m, Tensor v) {}

  /** Parameters and momentum buffer, each (P) of one run or (k,P) of k. */
  record SgdState(Tensor theta, Tensor buffer) {}

  /** Momentum, and the weight decay that is added to the gradient. */
  record Sgd(double momentum, double weightDecay) {}
}
