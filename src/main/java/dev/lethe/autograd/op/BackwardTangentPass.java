package dev.lethe.autograd.op;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Tensor;

/**
 * What a backward tangent rule sees.
 *
 * @param theta adapter parameters (P)
 * @param along directions of the parameters, and where their products go
 * @param primal kept values
 * @param adjoint kept adjoints of the primal, leading 1
 * @param tangent kept tangents
 * @param adjointTangent where the tangents of output adjoints are read and those of input adjoints allocated
 */
public record BackwardTangentPass(
    Backend backend,
    Tensor theta,
    Directions along,
    Slots primal,
    Slots adjoint,
    Slots tangent,
    Slots adjointTangent) {
  /**
   * @param v directions (k,P)
   * @param scale factor of what is added to the products
   * @param products (k,P)
   */
  public record Directions(Tensor v, double scale, Tensor products) {}
}
