package dev.lethe.backend.kernel;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * One optimizer step of a recorded run together with k runs that differ from it by a change of the gradient,
 * in one pass over memory. All vectors are in {@link Backend#vectorType}, except that the recorded gradient
 * may also be BF16. The recorded run takes exactly the step that training takes. A run whose change is zero
 * and whose factor and step are the recorded run's, and which equals it before, equals it afterwards to the
 * bit.
 */
public interface ReplayKernels {
  /** AdamW, as {@link VectorKernels#adamW} does it, from clip·g and from clips[j]·(g + change[j]). */
  void adamW(StepAdamW call);

  /** The same for stochastic gradient descent: g ← g + weightDecay·θ, b ← momentum·b + g, θ ← θ − lr·b. */
  void sgd(StepSgd call);

  /**
   * Squared norms before clipping, accumulated in double: ‖g‖² in the first place and ‖g + change[j]‖² in
   * place 1+j. Equal vectors have equal norms to the bit, and where g is in the vector type, the first is what
   * {@link VectorKernels#dot} gives.
   */
  void squaredNorms(SquaredNorms call);

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
      long[] numbers) {
    private void require(Arguments check, Tensor difference) {
      requireGradient(check, g);
      int k = clips.length;
      check.vector("change", change, k, g.dim(0));
      check.vector("difference", difference, k, g.dim(0));
      check.that(number >= 1, "number", "1 for the first", number);
      check.that(numbers.length == k, "numbers", k, numbers.length);
      for (long own : numbers) {
        check.that(own >= 0, "numbers", "0 for no step, or a step", own);
      }
    }

    /** Checks a vector of the recorded run and those of the runs. */
    private void requireState(Arguments check, String what, Tensor recorded, Tensor runs) {
      check.vector(what + " of the recorded run", recorded, g.dim(0));
      check.vector(what + " of runs", runs, clips.length, g.dim(0));
    }
  }

  /** Parameters and moments, each (P) of one run or (k,P) of k. */
  record AdamWState(Tensor theta, Tensor m, Tensor v) {}

  /** Parameters and momentum buffer, each (P) of one run or (k,P) of k. */
  record SgdState(Tensor theta, Tensor buffer) {}

  /** Momentum, and the weight decay that is added to the gradient. */
  record Sgd(double momentum, double weightDecay) {}

  /**
   * @param recorded (P), updated
   * @param runs (k,P), updated
   * @param difference runs.theta − recorded.theta after the step, (k,P) out
   */
  record StepAdamW(
      VectorKernels.AdamW options,
      Step step,
      AdamWState recorded,
      AdamWState runs,
      Tensor difference)
      implements KernelCall {
    @Override
    public String name() {
      return "replay.adamW";
    }

    @Override
    public void require(Arguments check) {
      step.require(check, difference);
      step.requireState(check, "theta", recorded.theta, runs.theta);
      step.requireState(check, "m", recorded.m, runs.m);
      step.requireState(check, "v", recorded.v, runs.v);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(
          0,
          step.g,
          step.change,
          recorded.theta,
          recorded.m,
          recorded.v,
          runs.theta,
          runs.m,
          runs.v,
          difference);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.replay().adamW(this);
    }
  }

  /**
   * @param recorded (P), updated
   * @param runs (k,P), updated
   * @param difference runs.theta − recorded.theta after the step, (k,P) out
   */
  record StepSgd(Sgd options, Step step, SgdState recorded, SgdState runs, Tensor difference)
      implements KernelCall {
    @Override
    public String name() {
      return "replay.sgd";
    }

    @Override
    public void require(Arguments check) {
      step.require(check, difference);
      step.requireState(check, "theta", recorded.theta, runs.theta);
      step.requireState(check, "buffer", recorded.buffer, runs.buffer);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(
          0,
          step.g,
          step.change,
          recorded.theta,
          recorded.buffer,
          runs.theta,
          runs.buffer,
          difference);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.replay().sgd(this);
    }
  }

  /**
   * @param g (P), BF16 or vector type
   * @param change (k,P)
   * @param norms out, 1+k places
   */
  record SquaredNorms(Tensor g, Tensor change, double[] norms) implements KernelCall {
    @Override
    public String name() {
      return "replay.squaredNorms";
    }

    @Override
    public void require(Arguments check) {
      requireGradient(check, g);
      check.vector("change", change, norms.length - 1, g.dim(0));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, g, change);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.replay().squaredNorms(this);
    }
  }

  private static void requireGradient(Arguments check, Tensor g) {
    check.rank("g", g, 1);
    check.bf16OrVector("g", g);
  }
}
