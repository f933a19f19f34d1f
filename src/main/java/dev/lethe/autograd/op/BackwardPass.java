package dev.lethe.autograd.op;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Tensor;

/**
 * What a backward rule sees.
 *
 * @param theta adapter parameters (P)
 * @param primal kept values
 * @param adjoint where output adjoints are read and input adjoints allocated, for k adjoints at a time
 */
public record BackwardPass(Backend backend, Tensor theta, Slots primal, Slots adjoint) {}
