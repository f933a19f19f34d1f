package dev.lethe.replay;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** How measurements are carried to other times; no numbers are drawn. */
class SmootherTest {
  private static final double[] ONE = {0.5};

  /** One measurement at its own time comes through by 1/(1 + noise). */
  @Test
  void longRunsAreTrustedLess() {
    assertEquals(1 / 5.0, Smoother.careful(ONE, 75).weights(0.5)[0], 1e-15);
    assertEquals(1 / 5.0, Smoother.careful(ONE, 8).weights(0.5)[0], 1e-15);
    assertEquals(1 / 9.0, Smoother.careful(ONE, 150).weights(0.5)[0], 1e-15);
  }

  /** The bold one's noise is an eighth of the careful one's, a quarter with 60 batches an epoch, 1/2.8 with many. */
  @Test
  void theBoldOneIsNearerToTheCarefulOneWhereAnEpochHasManyBatches() {
    assertEquals(1 / 1.5, Smoother.bold(ONE, 75, 1).weights(0.5)[0], 1e-15);
    assertEquals(1 / 1.5, Smoother.bold(ONE, 75, 15).weights(0.5)[0], 1e-15);
    assertEquals(1 / 2.0, Smoother.bold(ONE, 75, 60).weights(0.5)[0], 1e-15);
    assertEquals(1 / 3.0, Smoother.bold(ONE, 150, 60).weights(0.5)[0], 1e-15);
    assertEquals(1 / (1 + 4 / 2.8), Smoother.bold(ONE, 75, 5000).weights(0.5)[0], 1e-15);
  }

  /** The weights solve the ridge regression's equations: (K + νI) w(t) = k(t). */
  @Test
  void weightsAreThoseOfKernelRidgeRegression() {
    double[] times = {0.05, 0.3, 0.31, 0.8, 0.97};
    double[] weights = Smoother.careful(times, 75).weights(0.4);
    double[] right = new double[times.length];
    for (int i = 0; i < times.length; i++) {
      for (int j = 0; j < times.length; j++) {
        right[i] += (kernel(times[i], times[j]) + (i == j ? 4 : 0)) * weights[j];
      }
    }
    assertArrayEquals(Arrays.stream(times).map(t -> kernel(t, 0.4)).toArray(), right, 1e-13);
    assertTrue(weights[1] > weights[4], Arrays.toString(weights));
  }

  private static double kernel(double s, double t) {
    return Math.exp(-Math.pow((s - t) / 0.25, 2) / 2);
  }
}
