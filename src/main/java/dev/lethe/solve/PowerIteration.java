package dev.lethe.solve;

import dev.lethe.tensor.Shape;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import java.util.function.BiConsumer;

/** The eigenvalue of largest modulus, from products, started at a seeded random vector. */
final class PowerIteration {
  private static final double SETTLED = 1e-3;

  private PowerIteration() {}

  /**
   * The Rayleigh quotient after at most {@link SolverOptions#powerIterations} products, or once it
   * changes by less than a thousandth.
   *
   * @param product stores A v in its second argument
   * @param v scratch
   * @param av scratch
   */
  static double largest(
      SolveSession s, BiConsumer<Tensor, Tensor> product, Tensor v, Tensor av, long seed) {
    start(s, v, seed);
    double estimate = 0;
    for (int i = 0; i < s.options().powerIterations(); i++) {
      product.accept(v, av);
      double rayleigh = s.dot(v, av);
      boolean settled = Math.abs(rayleigh - estimate) <= SETTLED * Math.abs(rayleigh);
      estimate = rayleigh;
      double norm = s.norm(av);
      if (settled || norm == 0) {
        break;
      }
      s.copy(av, v);
      s.scale(1 / norm, v);
    }
    return estimate;
  }

  private static void start(SolveSession s, Tensor v, long seed) {
    double[] values = new double[Math.toIntExact(v.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = 2 * SplitMix64.uniform(seed, i) - 1;
    }
    s.problem().backend().upload(Tensor.of(Shape.of(values.length), values), v);
    s.scale(1 / s.norm(v), v);
  }
}
