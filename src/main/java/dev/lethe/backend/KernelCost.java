package dev.lethe.backend;

/**
 * The least that a kernel has to do.
 *
 * @param flops floating-point operations of its matrix products; a multiplication and an addition are two
 * @param bytes memory that it reads or writes, each tensor and weight once
 */
public record KernelCost(double flops, double bytes) {
  public static final KernelCost NONE = new KernelCost(0, 0);

  /** Of a kernel whose arguments do not tell; sums with it are not known either. */
  public static final KernelCost UNKNOWN = new KernelCost(Double.NaN, Double.NaN);

  /** Whether it could be counted. */
  public boolean known() {
    return !Double.isNaN(bytes);
  }

  /** Both kernels. */
  public KernelCost plus(KernelCost other) {
    return new KernelCost(flops + other.flops, bytes + other.bytes);
  }
}
