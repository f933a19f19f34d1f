package dev.lethe.backend.kernel.operand;

import dev.lethe.backend.kernel.GatedUnitKernels;

/**
 * The function f of a {@link GatedUnitKernels gated unit}, with its first two derivatives. σ is the logistic function, Φ
 * and φ are the normal distribution's and its density.
 */
public enum Nonlinearity {
  /** f = aσ(a), f′ = σ(1 + a(1−σ)), f″ = σ(1−σ)(2 + a(1−2σ)). Elfwing et al., arXiv 1702.03118. */
  SILU,
  /** f = aΦ(a), f′ = Φ + aφ, f″ = (2 − a²)φ. Hendrycks and Gimpel, arXiv 1606.08415. */
  GELU,
  /**
   * The same with Φ(a) ≈ ½(1 + tanh(√(2/π)(a + 0.044715a³))), which is σ(w) for w = 2√(2/π)(a + 0.044715a³): f = aσ(w),
   * f′ = σ + aσ′w′, f″ = 2σ′w′ + a(σ″w′² + σ′w″). What transformers calls {@code gelu_new} and {@code
   * gelu_pytorch_tanh}.
   */
  GELU_TANH;

  /** 2√(2/π): w of {@link #GELU_TANH} is this times a + {@link #CUBIC}·a³. */
  public static final double SLOPE = 1.5957691216057308;

  public static final double CUBIC = 0.044715;
}
