package dev.lethe.autograd.op;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Tensor;

/**
 * What a tangent rule sees.
 *
 * @param theta adapter parameters (P)
 * @param v their directions (k,P)
 * @param primal kept values
 * @param tangent where input tangents are read, null for zero, and output tangents allocated
 */
public record TangentPass(
    Backend backend, Tensor theta, Tensor v, Slots primal, Slots tangent) {}
