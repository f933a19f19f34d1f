package dev.lethe.autograd.op;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Tensor;

/**
 * What a backward rule sees.
 *
 * @param theta adapter parameters (P)
 * @param sum where the parameters' gradients are added; null: nowhere
 * @param primal kept values
 * @param adjoint where output adjoints are read and input adjoints allocated, for k adjoints at a time
 */
public record BackwardPass(Backend backend, Tensor theta, Sum sum, Slots primal, Slots adjoint) {
  /** A pass that only leaves adjoints. */
  public BackwardPass(Backend backend, Tensor theta, Slots primal, Slots adjoint) {
    this(backend, theta, null, primal, adjoint);
  }

  /**
   * @param scale factor of what is added
   * @param g (k,P)
   */
  public record Sum(double scale, Tensor g) {}

  /** The same pass, which adds the parameters' gradients as well. */
  public BackwardPass adding(Sum to) {
    return new BackwardPass(backend, theta, to, primal, adjoint);
  }
}
