package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * Arithmetic on flat vectors of {@link Backend#vectorType}: parameters, gradients, directions and
 * everything solvers keep. Sums have a fixed order, so equal inputs give equal bytes.
 */
public interface VectorKernels {
  /** x = value. */
  void fill(Tensor x, double value);

  /** y = x. */
  void copy(Tensor x, Tensor y);

  /** x = a·x. */
  void scale(double a, Tensor x);

  /** y = a·x + b·y; a NaN in y stays also where b is 0. */
  void axpby(double a, Tensor x, double b, Tensor y);

  /** y = a·x + y. */
  default void axpy(double a, Tensor x, Tensor y) {
    axpby(a, x, 1, y);
  }

  /** ⟨x, y⟩, accumulated in double. */
  double dot(Tensor x, Tensor y);

  /** ‖x‖₂, accumulated in double. */
  default double norm(Tensor x) {
    return Math.sqrt(dot(x, x));
  }

  /** Whether every element is finite. */
  boolean allFinite(Tensor x);

  /**
   * One step of AdamW with PyTorch's semantics: θ ← θ(1 − lr·wd); m, v moving averages of g, g²; θ ← θ −
   * lr·m̂/(√v̂ + ε). Loshchilov and Hutter, arXiv 1711.05101.
   *
   * @param step 1 for the first
   */
  void adamW(AdamW options, double learningRate, long step, Tensor theta, Tensor g, Tensor m, Tensor v);

  /** β₁, β₂, ε and the decoupled weight decay. */
  record AdamW(double beta1, double beta2, double epsilon, double weightDecay) {}
}
