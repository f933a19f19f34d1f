package dev.lethe.autograd.op;

import dev.lethe.backend.kernel.LoraSlot;

/**
 * The parameters of an operation, and the values that their gradients are made of: Ā = s hᵀxₐ, B̄ = s ȳᵀu.
 *
 * @param xa the adapter's input (N,in)
 * @param u xₐAᵀ (N,r); its adjoint is h
 * @param y (N,out)
 */
public record Adapter(LoraSlot slot, Value xa, Value u, Value y) {}
