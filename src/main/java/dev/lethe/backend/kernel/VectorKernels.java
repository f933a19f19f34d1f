package dev.lethe.backend.kernel;

import dev.lethe.backend.Backend;
import dev.lethe.backend.Vectors;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * Arithmetic on flat vectors of {@link Backend#vectorType}: parameters, gradients, directions and
 * everything solvers keep. Sums have a fixed order, so equal inputs give equal bytes. {@link Vectors} makes
 * the calls.
 */
public interface VectorKernels {
  /** x = value. */
  void fill(Fill call);

  /** y = x. */
  void copy(Copy call);

  /** x = a·x. */
  void scale(Scale call);

  /** y = a·x + b·y; a NaN in y stays also where b is 0. */
  void axpby(Axpby call);

  /** ⟨x, y⟩, accumulated in double. */
  void dot(Dot call);

  /** Whether every element is finite. */
  void allFinite(AllFinite call);

  /**
   * One step of AdamW with PyTorch's semantics: θ ← θ(1 − lr·wd); m, v moving averages of g, g²; θ ← θ −
   * lr·m̂/(√v̂ + ε). Loshchilov and Hutter, arXiv 1711.05101.
   */
  void adamW(StepAdamW call);

  /** β₁, β₂, ε and the decoupled weight decay. */
  record AdamW(double beta1, double beta2, double epsilon, double weightDecay) {
    /** What a step does with every element, bias correction included, for kernels that compute in float32. */
    public AdamWNumbers numbers(double learningRate, long step) {
      return new AdamWNumbers(
          (float) (1 - learningRate * weightDecay),
          (float) (1 - beta1),
          (float) beta2,
          (float) (1 - beta2),
          (float) (learningRate / (1 - Math.pow(beta1, step))),
          (float) (1 / Math.sqrt(1 - Math.pow(beta2, step))),
          (float) epsilon);
    }
  }

  /** θ ← decay·θ; m ← m + gain1(g − m); v ← beta2·v + gain2·g²; θ ← θ − size·m / (√v·rootGain + ε). */
  record AdamWNumbers(
      float decay, float gain1, float beta2, float gain2, float size, float rootGain, float epsilon) {}

  /** x out. */
  record Fill(Tensor x, double value) implements KernelCall {
    @Override
    public String name() {
      return "vectors.fill";
    }

    @Override
    public void require(Arguments check) {
      check.anyVector("x", x);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, x);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.vectors().fill(this);
    }
  }

  /** y as x, out. */
  record Copy(Tensor x, Tensor y) implements KernelCall {
    @Override
    public String name() {
      return "vectors.copy";
    }

    @Override
    public void require(Arguments check) {
      check.anyVector("x", x);
      check.vector("y", y, x.shape().toArray());
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, x, y);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.vectors().copy(this);
    }
  }

  /** x is read and written. */
  record Scale(double a, Tensor x) implements KernelCall {
    @Override
    public String name() {
      return "vectors.scale";
    }

    @Override
    public void require(Arguments check) {
      check.anyVector("x", x);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, x);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.vectors().scale(this);
    }
  }

  /** y as x, read and written. */
  record Axpby(double a, Tensor x, double b, Tensor y) implements KernelCall {
    @Override
    public String name() {
      return "vectors.axpby";
    }

    @Override
    public void require(Arguments check) {
      check.anyVector("x", x);
      check.vector("y", y, x.shape().toArray());
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, x, y);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.vectors().axpby(this);
    }
  }

  /** y as x; result out, one place. */
  record Dot(Tensor x, Tensor y, double[] result) implements KernelCall {
    @Override
    public String name() {
      return "vectors.dot";
    }

    @Override
    public void require(Arguments check) {
      check.anyVector("x", x);
      check.vector("y", y, x.shape().toArray());
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, x, y);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.vectors().dot(this);
    }
  }

  /** result out, one place. */
  record AllFinite(Tensor x, boolean[] result) implements KernelCall {
    @Override
    public String name() {
      return "vectors.allFinite";
    }

    @Override
    public void require(Arguments check) {
      check.anyVector("x", x);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, x);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.vectors().allFinite(this);
    }
  }

  /**
   * @param step 1 for the first
   * @param theta updated
   * @param g as theta
   * @param m as theta, updated
   * @param v as theta, updated
   */
  record StepAdamW(
      AdamW options, double learningRate, long step, Tensor theta, Tensor g, Tensor m, Tensor v)
      implements KernelCall {
    @Override
    public String name() {
      return "vectors.adamW";
    }

    @Override
    public void require(Arguments check) {
      check.that(step >= 1, "step", "1 for the first", step);
      check.anyVector("theta", theta);
      check.vector("g", g, theta.shape().toArray());
      check.vector("m", m, theta.shape().toArray());
      check.vector("v", v, theta.shape().toArray());
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, theta, g, m, v);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.vectors().adamW(this);
    }
  }
}
