package dev.lethe.bench;

import dev.lethe.backend.Backend;
import dev.lethe.backend.FrozenLinear;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;

/** What a device reaches in one large matrix product, to hold whole operations against. */
public final class MachinePeak {
  private static final int NARROWEST = 512;
  private static final int WIDEST = 4096;
  private static final double LONG_ENOUGH = 0.02;
  private static final int PRODUCTS = 4;
  private static final int RUNS = 5;

  private MachinePeak() {}

  /**
   * Operations a second in the best of a few runs of square products, by which the device multiplies frozen weights. The products
   * grow until one takes a fiftieth of a second.
   */
  public static double flopsPerSecond(Backend backend) {
    int width = NARROWEST;
    double seconds = secondsOfProduct(backend, width);
    while (seconds < LONG_ENOUGH && width < WIDEST) {
      width *= 2;
      seconds = secondsOfProduct(backend, width);
    }
    return 2.0 * width * width * width / seconds;
  }

  private static double secondsOfProduct(Backend backend, int width) {
    try (Scope scope = backend.openScope("peak")) {
      double[] values = new double[width * width];
      Arrays.setAll(values, i -> (i * 7L % 13 - 6) / 64.0);
      Tensor square = Tensor.of(Shape.of(width, width), values);
      FrozenLinear weight = backend.freezeLinear(square, null, false, scope);
      Tensor x = scope.allocate(backend.activationType(), width, width);
      Tensor y = scope.allocate(backend.activationType(), width, width);
      backend.upload(square, x);
      Tensor row = Tensor.of(Shape.of(width), new double[width]);
      double best = Double.POSITIVE_INFINITY;
      for (int run = 0; run < RUNS; run++) {
        long start = System.nanoTime();
        for (int i = 0; i < PRODUCTS; i++) {
          backend.loss().logits(weight, x, y);
        }
        backend.download(y.row(0), row); // waits for the device
        best = Math.min(best, (System.nanoTime() - start) * 1e-9 / PRODUCTS);
      }
      return best;
    }
  }
}
