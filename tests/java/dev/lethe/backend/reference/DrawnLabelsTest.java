package dev.lethe.backend.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** Drawn labels follow p, and outer products of their adjoints have the Gauss-Newton factor as their mean. */
final class DrawnLabelsTest {
  private static final int DRAWS = 40_000;
  private static final int D = 3;
  private static final double[] P = {0.5, 0, 0.2, 0.05, 0.25};
  private static final double WEIGHT = 0.3;
  private static final long SEED = 11;

  /** Deviations of a mean of 40,000 draws: at most 0.0025 for a frequency. */
  private static final double TOLERANCE = 0.01;

  private final Tensor w = Flat.zeros(P.length, D);
  private final Tensor labels =
      Tensor.view(MemorySegment.ofArray(new int[DRAWS]), DType.I32, Shape.of(DRAWS, 1));
  private final Tensor out = Flat.zeros(DRAWS, 1, D);

  private DrawnLabelsTest() {
    for (int i = 0; i < w.elements(); i++) {
      w.set(i, Math.sin(1.7 * i));
    }
    new ReferenceBackend()
        .run(
            new LossKernels.Drawn(
                new ReferenceLinear(w, null, true),
                Tensor.of(Shape.of(1, P.length), P),
                Tensor.of(Shape.of(1), 2),
                Tensor.of(Shape.of(1), WEIGHT),
                Flat.zeros(1, D),
                SEED,
                labels,
                out));
  }

  @Test
  void frequenciesAreTheProbabilities() {
    double[] frequencies = new double[P.length];
    for (int j = 0; j < DRAWS; j++) {
      frequencies[(int) labels.get(j)] += 1.0 / DRAWS;
    }
    for (int c = 0; c < P.length; c++) {
      double tolerance = P[c] == 0 ? 0 : TOLERANCE;
      assertEquals(P[c], frequencies[c], tolerance, "class " + c + ", seed " + SEED);
    }
  }

  @Test
  void outerProductsAverageToTheGaussNewtonFactor() {
    for (int a = 0; a < D; a++) {
      for (int b = 0; b < D; b++) {
        double mean = 0;
        for (int j = 0; j < DRAWS; j++) {
          mean += out.get((long) j * D + a) * out.get((long) j * D + b) / DRAWS;
        }
        assertEquals(factor(a, b), mean, TOLERANCE, "entry " + a + "," + b + ", seed " + SEED);
      }
    }
  }

  /** w·Wᵀ(diag(p) − ppᵀ)W. */
  private double factor(int a, int b) {
    double both = 0;
    double first = 0;
    double second = 0;
    for (int c = 0; c < P.length; c++) {
      double left = w.get((long) c * D + a);
      double right = w.get((long) c * D + b);
      both += P[c] * left * right;
      first += P[c] * left;
      second += P[c] * right;
    }
    return WEIGHT * (both - first * second);
  }

  @Test
  void uniformNumbersAreThoseOfTheHash() {
    double[] sums = new double[2];
    for (int j = 0; j < 100; j++) {
      for (int t = 0; t < 100; t++) {
        double u = LossKernels.uniform(SEED, j, t);
        sums[0] += u / 10_000;
        sums[1] += u * u / 10_000;
      }
    }
    assertEquals(0.5, sums[0], TOLERANCE);
    assertEquals(1.0 / 3, sums[1], TOLERANCE);
  }
}
