package dev.lethe.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.Sample;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class MetricsTest {
  private static final long SEED = 20241122;

  @Test
  void aucCountsOrderedPairs() {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int n : new int[] {2, 7, 31}) {
      double[] scores = random.doubles(n).map(x -> Math.round(8 * x)).toArray();
      boolean[] positive = new boolean[n];
      for (int i = 0; i < n; i++) {
        positive[i] = i % 3 == 0;
      }
      double pairs = 0;
      double won = 0;
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          if (positive[i] && !positive[j]) {
            pairs++;
            won += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
          }
        }
      }
      assertEquals(won / pairs, Auc.of(scores, positive), 1e-15, "n " + n + ", seed " + SEED);
    }
    assertTrue(Double.isNaN(Auc.of(new double[] {1, 2}, new boolean[] {true, true})));
  }

  @Test
  void kolmogorovSmirnovAgainstAllOrders() {
    double[] x = {0.1, 0.4, 0.35, 0.8};
    double[] y = {0.5, 0.6, 1.5, 0.95, 0.2};
    KolmogorovSmirnov test = KolmogorovSmirnov.of(x, y);
    assertEquals(walk(0b001001101), test.statistic(), 1e-15, "x holds ranks 0, 2, 3 and 6");
    int as = 0;
    int all = 0;
    for (int mask = 0; mask < 1 << 9; mask++) {
      if (Integer.bitCount(mask) == 4) {
        all++;
        as += walk(mask) >= test.statistic() - 1e-12 ? 1 : 0;
      }
    }
    assertEquals(126, all);
    assertEquals((double) as / all, test.pValue(), 1e-14);
  }

  @Test
  void kolmogorovSmirnovAtItsEnds() {
    double[] low = {1, 2, 3};
    double[] high = {4, 5, 6, 7};
    assertEquals(1, KolmogorovSmirnov.of(low, low).pValue(), 0);
    KolmogorovSmirnov apart = KolmogorovSmirnov.of(low, high);
    assertEquals(1, apart.statistic(), 0);
    assertEquals(2.0 / 35, apart.pValue(), 1e-15, "two of 35 orders separate 3 from 4");
  }

  @Test
  void truthRatioIsTheRatioOfLikelihoods() {
    double right = 0.7;
    double ratio = TruthRatio.of(right, 1.1, 1.3);
    assertEquals(Math.exp(-1.2) / Math.exp(-0.7), ratio, 1e-15);
  }

  @Test
  void memorizationFromPredictions() {
    int[] labels = {-100, -100, 4, 2, 3, 1};
    Sample sample = new Sample("s", labels.clone(), labels, "h");
    Tensor p = Tensor.of(Shape.of(4, 5), new double[20]);
    int[] first = {4, 0, 3, 1};
    for (int t = 0; t < 4; t++) {
      p.set(t * 5L + first[t], 1);
    }
    Memorization m = Memorization.of(sample, p, List.of());
    assertEquals(0.75, m.exact(), 0);
    assertEquals(0.5, m.extraction(), 0, "with the first two tokens the last two follow");
    Memorization without = Memorization.of(sample, p, List.of(0, 1));
    assertEquals(2.0 / 3, without.exact(), 1e-15, "the end token is left out");
    assertEquals(1.0 / 3, without.extraction(), 1e-15);
    int[] end = {-100, 1};
    Sample alone = new Sample("a", end.clone(), end, "h");
    assertEquals(0, Memorization.of(alone, p.slice(0, 1), List.of(1)).exact(), "an end token alone is all that there is");
  }

  /** The distance of the pooled order in which bit i says that rank i is of x. */
  private static double walk(int mask) {
    double largest = 0;
    int i = 0;
    int j = 0;
    for (int rank = 0; rank < 9; rank++) {
      if ((mask >> rank & 1) == 1) {
        i++;
      } else {
        j++;
      }
      largest = Math.max(largest, Math.abs(i / 4.0 - j / 5.0));
    }
    return largest;
  }
}
