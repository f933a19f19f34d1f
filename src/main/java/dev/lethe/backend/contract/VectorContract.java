package dev.lethe.backend.contract;

import dev.lethe.backend.Vectors;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.Expect;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Side;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.VectorKernels.AdamW;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.stream.Stream;

/** {@link VectorKernels}. */
final class VectorContract {
  private static final int[] LENGTHS = {1, 2, 3, 5, 7, 13, 17, 31, 33, 63, 65, 100, 4099, 70_001};
  private static final double[][] FACTORS = {{1, 1}, {-0.5, 2}, {0, 1}, {1, 0}, {0.3, -1}};

  /** With the second, it shows what epsilon is added to. */
  private static final double[] EPSILONS = {1e-8, 0.1};

  private VectorContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int n : LENGTHS) {
      String size = " (" + n + ")";
      cases.add(bench.of("vectors.fill" + size, c -> fill(c, n)));
      cases.add(bench.of("vectors.copy" + size, c -> copy(c, n)));
      cases.add(bench.of("vectors.scale" + size, c -> scale(c, n)));
      cases.add(bench.of("vectors.axpy" + size, c -> axpy(c, n)));
      cases.add(bench.of("vectors.dot" + size, c -> dot(c, n)));
      cases.add(bench.of("vectors.allFinite" + size, c -> allFinite(c, n)));
      for (double epsilon : EPSILONS) {
        String name = "vectors.adamW" + size + " epsilon=" + epsilon;
        cases.add(bench.of(name, c -> adamW(c, n, epsilon)));
      }
      for (double[] f : FACTORS) {
        String name = "vectors.axpby" + size + " a=" + f[0] + " b=" + f[1];
        cases.add(bench.of(name, c -> axpby(c, n, f[0], f[1])));
      }
    }
    return cases.build();
  }

  private static void fill(KernelCase c, int n) {
    Slot x = c.vectorOutput("x", n);
    c.run(on -> on.backend().vectors().fill(on.of(x), -2.5));
  }

  private static void copy(KernelCase c, int n) {
    Slot x = c.vector("x", n);
    Slot y = c.vectorOutput("y", n);
    c.run(on -> on.backend().vectors().copy(on.of(x), on.of(y)));
  }

  private static void scale(KernelCase c, int n) {
    Slot x = c.vectorInOut("x", n);
    c.run(on -> on.backend().vectors().scale(-0.3, on.of(x)));
  }

  private static void axpy(KernelCase c, int n) {
    Slot x = c.vector("x", n);
    Slot y = c.vectorInOut("y", n);
    c.run(on -> on.backend().vectors().axpy(0.7, on.of(x), on.of(y)));
  }

  private static void axpby(KernelCase c, int n, double a, double b) {
    Slot x = c.vector("x", n);
    Slot y = c.vectorInOut("y", n);
    c.run(on -> on.backend().vectors().axpby(a, on.of(x), b, on.of(y)));
  }

  /** Sums in double of products of the same numbers: only the order of summation may differ. */
  private static void dot(KernelCase c, int n) {
    Slot x = c.vector("x", n);
    Slot y = c.vector("y", n);
    double[] sums = new double[6];
    c.run(
        on -> {
          int at = on.testedSide() ? 0 : 3;
          sums[at] = on.backend().vectors().dot(on.of(x), on.of(y));
          sums[at + 1] = on.backend().vectors().dot(on.of(x), on.of(x));
          sums[at + 2] = on.backend().vectors().norm(on.of(y));
        });
    double size = Math.sqrt(sums[4]) * sums[5];
    Expect.close(sums[3], sums[0], 1e-13 * size, "dot(x,y)");
    Expect.close(sums[4], sums[1], 1e-13 * sums[4], "dot(x,x)");
    Expect.close(sums[5], sums[2], 1e-13 * sums[5], "norm(y)");
  }

  private static void allFinite(KernelCase c, int n) {
    Slot finite = c.vector("finite", n);
    c.run(on -> Expect.that(on.backend().vectors().allFinite(on.of(finite)), "finite numbers"));
    for (int at : new int[] {0, n / 2, n - 1}) {
      double[] bad = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY};
      for (double value : bad) {
        double[] values = new double[n];
        values[at] = value;
        Slot x = c.vectorOf(value + " at " + at, Tensor.of(Shape.of(n), values));
        c.run(on -> Expect.that(!on.backend().vectors().allFinite(on.of(x)), x.name()));
      }
    }
  }

  private static void adamW(KernelCase c, int n, double epsilon) {
    AdamW options = new AdamW(0.9, 0.999, epsilon, 0.05);
    Slot theta = c.vectorInOut("theta", n);
    Slot m = c.vectorInOut("m", n);
    double[] squares = new double[n];
    Arrays.setAll(squares, i -> Math.abs(c.random().nextGaussian()));
    Slot square = c.vectorOf("v to start from", Tensor.of(Shape.of(n), squares));
    Slot v = c.vectorOutput("v", n);
    Slot g = c.vector("g", n);
    c.run(
        on -> {
          Vectors vectors = on.backend().vectors();
          vectors.copy(on.of(square), on.of(v));
          for (int step = 1; step <= 5; step++) {
            adamW(on, options, step, theta, g, m, v);
          }
        });
  }

  private static void adamW(Side on, AdamW options, int step, Slot theta, Slot g, Slot m, Slot v) {
    on.backend()
        .vectors()
        .adamW(options, 0.01 / step, step, on.of(theta), on.of(g), on.of(m), on.of(v));
  }
}
