package dev.lethe.solve;

/** Why a solver stopped. */
public enum StopReason {
  /** The recomputed residual is within the tolerance. */
  CONVERGED,
  /** The iterations allowed are used up. */
  MAX_ITERATIONS,
  /** vᵀ(C+λI)v ≤ 0 for some v: the system is not positive definite. */
  NEGATIVE_CURVATURE,
  /** Rounding, or a right-hand side outside the operator's range, allows no smaller residual. */
  STAGNATED,
  /** The residual grew beyond all bounds. */
  DIVERGED,
  /** The monitor asked for it; the state was saved. */
  INTERRUPTED
}
