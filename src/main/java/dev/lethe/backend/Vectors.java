package dev.lethe.backend;

import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.tensor.Tensor;

/** Calls of {@link VectorKernels} on a backend, for code that does arithmetic on vectors. */
public final class Vectors {
  private final Backend backend;

  Vectors(Backend backend) {
    this.backend = backend;
  }

  /** x = value. */
  public void fill(Tensor x, double value) {
    backend.run(new VectorKernels.Fill(x, value));
  }

  /** y = x. */
  public void copy(Tensor x, Tensor y) {
    backend.run(new VectorKernels.Copy(x, y));
  }

  /** x = a·x. */
  public void scale(double a, Tensor x) {
    backend.run(new VectorKernels.Scale(a, x));
  }

  /** y = a·x + b·y; a NaN in y stays also where b is 0. */
  public void axpby(double a, Tensor x, double b, Tensor y) {
    backend.run(new VectorKernels.Axpby(a, x, b, y));
  }

  /** y = a·x + y. */
  public void axpy(double a, Tensor x, Tensor y) {
    axpby(a, x, 1, y);
  }

  /** ⟨x, y⟩, accumulated in double. */
  public double dot(Tensor x, Tensor y) {
    double[] result = new double[1];
    backend.run(new VectorKernels.Dot(x, y, result));
    return result[0];
  }

  /** ‖x‖₂, accumulated in double. */
  public double norm(Tensor x) {
    return Math.sqrt(dot(x, x));
  }

  /** Whether every element is finite. */
  public boolean allFinite(Tensor x) {
    boolean[] result = new boolean[1];
    backend.run(new VectorKernels.AllFinite(x, result));
    return result[0];
  }

  /**
   * One step of AdamW, as {@link VectorKernels#adamW} says.
   *
   * @param step 1 for the first
   */
  public void adamW(
      VectorKernels.AdamW options,
      double learningRate,
      long step,
      Tensor theta,
      Tensor g,
      Tensor m,
      Tensor v) {
    backend.run(new VectorKernels.StepAdamW(options, learningRate, step, theta, g, m, v));
  }
}
