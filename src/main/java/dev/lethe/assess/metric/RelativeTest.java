package dev.lethe.assess.metric;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import java.util.SplittableRandom;

/**
 * Is the unlearned model nearer to the retrained than to the original? The question of relative three-sample tests
 * (Bounliphone et al., arXiv 1511.04581), asked of paired rows. The three models answer the same rows, so a theory for
 * independent samples does not hold; the p-value is that of Fisher's randomisation test instead: if the model were as
 * near to the one as to the other, each row's difference could as well have the other sign.
 *
 * @param meanDifference mean over rows of d(unlearned, original) − d(unlearned, retrained); positive: nearer to the
 *     retrained
 * @param pValue how likely a mean as large is when it is as near to both; one-sided
 * @param rows how many
 */
public record RelativeTest(double meanDifference, double pValue, int rows) {
  private static final int EXACT_ROWS = 14;
  private static final int DRAWS = 9999;

  /**
   * Tests.
   *
   * @param toOriginal each row's distance between the unlearned and the original model
   * @param toRetrained each row's distance between the unlearned and the retrained model
   * @param seed of the drawing, which replaces counting all signs above 14 rows
   */
  public static RelativeTest of(double[] toOriginal, double[] toRetrained, long seed) {
    int n = toOriginal.length;
    if (n == 0 || toRetrained.length != n) {
      throw new ArgumentException(Text.format("%d rows and %d", n, toRetrained.length));
    }
    double[] difference = new double[n];
    double observed = 0;
    for (int i = 0; i < n; i++) {
      difference[i] = toOriginal[i] - toRetrained[i];
      observed += difference[i];
    }
    double p = n <= EXACT_ROWS ? exact(difference, observed) : drawn(difference, observed, seed);
    return new RelativeTest(observed / n, p, n);
  }

  /** The smallest p-value that so many rows can give. */
  public static double smallest(int rows) {
    return rows <= EXACT_ROWS ? Math.pow(0.5, rows) : 1.0 / (DRAWS + 1);
  }

  private static double exact(double[] difference, double observed) {
    int all = 1 << difference.length;
    int asLarge = 0;
    for (int signs = 0; signs < all; signs++) {
      double sum = 0;
      for (int i = 0; i < difference.length; i++) {
        sum += (signs >> i & 1) == 0 ? difference[i] : -difference[i];
      }
      asLarge += reaches(sum, observed) ? 1 : 0;
    }
    return (double) asLarge / all;
  }

  private static double drawn(double[] difference, double observed, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int asLarge = 1;
    for (int d = 0; d < DRAWS; d++) {
      double sum = 0;
      for (double x : difference) {
        sum += random.nextBoolean() ? x : -x;
      }
      asLarge += reaches(sum, observed) ? 1 : 0;
    }
    return (double) asLarge / (DRAWS + 1);
  }

  /** Sums of the same numbers in another order may differ in their last digits. */
  private static boolean reaches(double sum, double observed) {
    return sum >= observed - 1e-12 * Math.abs(observed);
  }
}
