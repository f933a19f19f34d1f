package dev.lethe.backend.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.Tensor;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Per-sample gradients, their dots and weighted sums, against each other and the batch gradient.
 */
final class ReferencePerSampleTest {
  private static final long SEED = 20_260_722;
  private static final int IN = 5;
  private static final int OUT = 7;
  private static final int RANK = 2;
  private static final int PARAMETERS = RANK * (IN + OUT) + 4;
  private static final Backend BACKEND = new ReferenceBackend();
  private static final LoraSlot SLOT = new LoraSlot(IN, OUT, RANK, 0.7, 1, 3 + RANK * IN);
  private static final Packing PACKING = Packing.ofLengths(3, 1, 0, 5);

  private final Random random = new Random(SEED);
  private final Tensor xa = normals(PACKING.rows(), IN);
  private final Tensor u = normals(PACKING.rows(), RANK);
  private final Tensor h = normals(PACKING.rows(), RANK);
  private final Tensor gy = normals(PACKING.rows(), OUT);

  @Test
  void theySumToTheGradientOfTheBatch() {
    double[] sum = new double[PARAMETERS];
    Tensor samples = perSample(2);
    for (int i = 0; i < PACKING.count(); i++) {
      add(1, samples.row(i).toDoubles(), sum);
    }
    Tensor g = Flat.zeros(1, PARAMETERS);
    Tensor hs = h.reshape(1, PACKING.rows(), RANK);
    BACKEND.run(
        new LoraGradientKernels.Gradient(
            SLOT, new LoraGradientKernels.Kept(xa, u, hs, gy.reshape(1, PACKING.rows(), OUT)), 2, g));
    assertArrayEquals(g.toDoubles(), sum, 1e-12);
  }

  @Test
  void eachIsTheGradientOfItsRowsAlone() {
    Tensor samples = perSample(1);
    for (int i = 0; i < PACKING.count(); i++) {
      int n = PACKING.length(i);
      int first = PACKING.start(i);
      Tensor g = Flat.zeros(1, PARAMETERS);
      BACKEND.run(
          new LoraGradientKernels.Gradient(
              SLOT,
              new LoraGradientKernels.Kept(
                  xa.slice(first, n),
                  u.slice(first, n),
                  h.slice(first, n).reshape(1, n, RANK),
                  gy.slice(first, n).reshape(1, n, OUT)),
              1,
              g));
      assertArrayEquals(g.toDoubles(), samples.row(i).toDoubles(), "sample " + i);
    }
  }

  @Test
  void theyOverwriteTheirPlaceAndNothingElse() {
    Tensor once = perSample(1);
    Tensor twice = perSample(1);
    BACKEND.run(
        new LoraGradientKernels.PerSampleGradient(
            SLOT, PACKING, new LoraGradientKernels.Kept(xa, u, h, gy), 1, twice));
    assertArrayEquals(once.toDoubles(), twice.toDoubles());
    assertEquals(0, twice.row(0).get(0), "before A");
    assertEquals(0, twice.row(0).get(1 + RANK * IN), "between A and B");
    assertEquals(0, twice.row(0).get(PARAMETERS - 1), "behind B");
  }

  @Test
  void dotsAreThoseWithTheGradients() {
    Tensor v = normals(3, PARAMETERS);
    Tensor dots = Flat.zeros(3, PACKING.count());
    BACKEND.vectors().fill(dots, 100);
    BACKEND.run(
        new LoraGradientKernels.PerSampleDot(SLOT, PACKING, v, new LoraGradientKernels.Kept(xa, u, h, gy), dots));
    Tensor samples = perSample(1);
    for (int j = 0; j < 3; j++) {
      for (int i = 0; i < PACKING.count(); i++) {
        double dot = BACKEND.vectors().dot(samples.row(i), v.row(j));
        assertEquals(100 + dot, dots.row(j).get(i), 1e-12, "direction " + j + ", sample " + i);
      }
    }
  }

  @Test
  void weightedSumsAreThoseOfTheGradients() {
    Tensor weights = normals(2, PACKING.count());
    Tensor before = normals(2, PARAMETERS);
    Tensor g = Flat.zeros(2, PARAMETERS);
    g.copyFrom(before);
    BACKEND.run(
        new LoraGradientKernels.WeightedGradient(
            SLOT, PACKING, weights, new LoraGradientKernels.Kept(xa, u, h, gy), -3, g));
    Tensor samples = perSample(1);
    for (int j = 0; j < 2; j++) {
      double[] expected = before.row(j).toDoubles();
      for (int i = 0; i < PACKING.count(); i++) {
        add(-3 * weights.row(j).get(i), samples.row(i).toDoubles(), expected);
      }
      assertArrayEquals(expected, g.row(j).toDoubles(), 1e-12, "direction " + j);
    }
  }

  private Tensor perSample(double scale) {
    Tensor g = Flat.zeros(PACKING.count(), PARAMETERS);
    BACKEND.run(
        new LoraGradientKernels.PerSampleGradient(
            SLOT, PACKING, new LoraGradientKernels.Kept(xa, u, h, gy), scale, g));
    return g;
  }

  private Tensor normals(long... dims) {
    Tensor x = Flat.zeros(dims);
    for (long i = 0; i < x.elements(); i++) {
      x.set(i, random.nextGaussian());
    }
    return x;
  }

  private static void add(double factor, double[] x, double[] sum) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] += factor * x[i];
    }
  }
}
