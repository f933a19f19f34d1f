package dev.lethe.influence;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Tensor;

/** Small tensors as Java arrays. */
final class HostValues {
  private HostValues() {}

  /** All elements of a tensor of the backend, in memory order. */
  static double[] download(Backend backend, Tensor tensor) {
    double[] values = new double[Math.toIntExact(tensor.elements())];
    backend.download(tensor, Tensor.of(tensor.shape(), values));
    return values;
  }

  /** Stores numbers in a tensor of the backend. */
  static void upload(Backend backend, double[] values, Tensor target) {
    backend.upload(Tensor.of(target.shape(), values), target);
  }
}
