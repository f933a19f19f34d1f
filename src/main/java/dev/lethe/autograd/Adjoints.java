package dev.lethe.autograd;

/** Which adjoints of the losses are kept at a {@link Linearization}, each with those before it. */
public enum Adjoints {
  /** None: Gauss-Newton products and directional derivatives read none. */
  NONE,
  /** Those of adapters: gradients, per-sample gradients and Fisher products read them. */
  ADAPTERS,
  /** All that Hessian products read. */
  ALL
}
