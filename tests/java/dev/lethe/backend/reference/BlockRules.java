package dev.lethe.backend.reference;

import dev.lethe.backend.Backend;

/**
 * A block operation as a function of one flat vector of all its differentiable inputs, part after
 * part, to one flat vector of its outputs, with its four rules. Implementations give the kernels a
 * decoy as first direction and null where a part of a tangent is zero throughout.
 */
interface BlockRules {
  /** Computes the calls, after their checks. */
  Backend BACKEND = new ReferenceBackend();

  /** Lengths of the differentiable inputs. */
  int[] parts();

  double[] forward(double[] x);

  double[] tangent(double[] x, double[] dx);

  double[] backward(double[] x, double[] gy);

  double[] backwardTangent(double[] x, double[] gy, double[] dx, double[] dgy);

  /** Whether the backward tangent takes a tangent of the adjoint; a loss does not. */
  default boolean adjointVaries() {
    return true;
  }
}
