package dev.lethe.backend.kernel;

import dev.lethe.tensor.Tensor;

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

  /**
   * A kernel that reads or writes these tensors, each piece of memory once.
   *
   * @param tensors null where there is none
   */
  public static KernelCost of(double flops, Tensor... tensors) {
    double bytes = 0;
    for (int i = 0; i < tensors.length; i++) {
      if (tensors[i] != null && !sharesMemory(tensors, i)) {
        bytes += tensors[i].byteSize();
      }
    }
    return new KernelCost(flops, bytes);
  }

  private static boolean sharesMemory(Tensor[] tensors, int index) {
    for (int i = 0; i < index; i++) {
      if (tensors[i] != null
          && tensors[i].storage() == tensors[index].storage()
          && tensors[i].byteOffset() == tensors[index].byteOffset()) {
        return true;
      }
    }
    return false;
  }

  /** Whether it could be counted. */
  public boolean known() {
    return !Double.isNaN(bytes);
  }

  /** Both kernels. */
  public KernelCost plus(KernelCost other) {
    return new KernelCost(flops + other.flops, bytes + other.bytes);
  }
}
