package dev.lethe.autograd;

/**
 * Which adjoints of the losses are kept at a {@link Linearization}, each with those before it. What is not kept, is made
 * again by whoever reads it.
 */
public enum Adjoints {
  /** None: Gauss-Newton products and directional derivatives read none. */
  NONE,
  /** Where they all begin, the adjoint of what the loss reads: one Hessian product makes the others as it goes. */
  LOSS,
  /** Those of adapters: gradients, per-sample gradients and Fisher products read them. */
  ADAPTERS,
  /** All that Hessian products read: each after the first spares a backward. */
  ALL
}
