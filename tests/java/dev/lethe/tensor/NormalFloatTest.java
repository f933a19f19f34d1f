package dev.lethe.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** Rounding to NF4 against its definition: the code nearest to x/absmax, block by block. */
class NormalFloatTest {
  private static final long SEED = 7;

  @Test
  void everyNumberBecomesTheNearestOfItsBlocksSixteen() {
    Random random = new Random(SEED);
    double[] x = random.doubles(64 + 64 + 10, -3, 3).map(v -> (float) v).toArray();
    double[] expected = new double[x.length];
    for (int first = 0; first < x.length; first += 64) {
      int last = Math.min(x.length, first + 64);
      float absmax = 0;
      for (int i = first; i < last; i++) {
        absmax = Math.max(absmax, Math.abs((float) x[i]));
      }
      for (int i = first; i < last; i++) {
        double best = Double.MAX_VALUE;
        for (float code : NormalFloat.code()) {
          double distance = Math.abs(x[i] / absmax - code);
          if (distance < best) {
            best = distance;
            expected[i] = code * absmax;
          }
        }
      }
    }
    Tensor rounded = Tensor.of(Shape.of(2, x.length / 2), x.clone());
    NormalFloat.round(rounded);
    assertArrayEquals(expected, rounded.toDoubles(), 0, "seed " + SEED);
    NormalFloat.round(rounded);
    assertArrayEquals(expected, rounded.toDoubles(), 0, "what was rounded stays");
  }

  @Test
  void theLargestStaysZeroStaysAndAZeroBlockStaysZero() {
    double[] x = new double[128];
    x[0] = -2.5;
    x[1] = 0;
    Tensor rounded = Tensor.of(Shape.of(128), x);
    NormalFloat.round(rounded);
    assertEquals(-2.5, rounded.get(0));
    assertEquals(0, rounded.get(1));
    assertEquals(0, rounded.get(100));
  }
}
