package dev.lethe.autograd.op;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Tensor;

/**
 * What a forward rule sees.
 *
 * @param theta adapter parameters (P)
 * @param primal where inputs are read and outputs allocated
 */
public record ForwardPass(Backend backend, Tensor theta, Slots primal) {}
