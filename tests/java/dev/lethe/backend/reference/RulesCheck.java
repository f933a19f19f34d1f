package dev.lethe.backend.reference;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;

/** Holds four rules against each other: nothing here knows any operation's formulas. */
final class RulesCheck {
  private static final double STEP = 1e-5;
  private static final double DIFFERENCES = 1e-6;
  private static final double IDENTITIES = 1e-12;

  private final BlockRules rules;
  private final Random random;
  private final double[] x;
  private final double[] gy;

  private RulesCheck(BlockRules rules, long seed) {
    this.rules = rules;
    this.random = new Random(seed);
    this.x = normals(Arrays.stream(rules.parts()).sum());
    this.gy = normals(rules.forward(x).length);
  }

  /** Every check, along directions in all inputs and in each subset of them. */
  static void check(BlockRules rules, long seed) {
    try {
      RulesCheck check = new RulesCheck(rules, seed);
      for (int present = 1; present < 1 << rules.parts().length; present++) {
        check.tangentIsDifference(present);
        check.backwardIsAdjoint(present);
        check.backwardTangentIsDifference(present, false);
        if (rules.adjointVaries()) {
          check.backwardTangentIsDifference(present, true);
        }
        check.secondDerivativeIsSymmetric(present);
      }
    } catch (AssertionError e) {
      throw new AssertionError("seed " + seed + ", " + rules + ": " + e.getMessage(), e);
    }
  }

  private void tangentIsDifference(int present) {
    double[] dx = direction(present);
    double[] above = rules.forward(moved(x, STEP, dx));
    double[] below = rules.forward(moved(x, -STEP, dx));
    assertClose("tangent", difference(above, below), rules.tangent(x, dx), DIFFERENCES);
  }

  private void backwardIsAdjoint(int present) {
    double[] dx = direction(present);
    double[] dy = rules.tangent(x, dx);
    double[] gx = rules.backward(x, gy);
    double size = norm(gy) * norm(dy) + norm(gx) * norm(dx);
    assertEqualDots("adjoint", dot(gy, dy), dot(gx, dx), size);
  }

  private void backwardTangentIsDifference(int present, boolean adjointMoves) {
    double[] dx = direction(present);
    double[] dgy = adjointMoves ? normals(gy.length) : new double[gy.length];
    double[] above = rules.backward(moved(x, STEP, dx), moved(gy, STEP, dgy));
    double[] below = rules.backward(moved(x, -STEP, dx), moved(gy, -STEP, dgy));
    double[] got = rules.backwardTangent(x, gy, dx, dgy);
    assertClose("backward tangent", difference(above, below), got, DIFFERENCES);
  }

  private void secondDerivativeIsSymmetric(int present) {
    double[] u = direction((1 << rules.parts().length) - 1);
    double[] v = direction(present);
    double[] none = new double[gy.length];
    double[] hu = rules.backwardTangent(x, gy, u, none);
    double[] hv = rules.backwardTangent(x, gy, v, none);
    double size = norm(v) * norm(hu) + norm(u) * norm(hv);
    assertEqualDots("symmetry", dot(v, hu), dot(u, hv), size);
  }

  private double[] direction(int present) {
    int[] parts = rules.parts();
    double[] dx = new double[x.length];
    int at = 0;
    for (int i = 0; i < parts.length; i++) {
      if ((present & 1 << i) != 0) {
        System.arraycopy(normals(parts[i]), 0, dx, at, parts[i]);
      }
      at += parts[i];
    }
    return dx;
  }

  private double[] normals(int count) {
    return random.doubles(count, 0, 1).map(u -> random.nextGaussian()).toArray();
  }

  private static double[] moved(double[] x, double step, double[] dx) {
    double[] moved = x.clone();
    Arrays.setAll(moved, i -> x[i] + step * dx[i]);
    return moved;
  }

  private static double[] difference(double[] above, double[] below) {
    double[] slope = new double[above.length];
    Arrays.setAll(slope, i -> (above[i] - below[i]) / (2 * STEP));
    return slope;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  private static double norm(double[] a) {
    return Math.sqrt(dot(a, a));
  }

  private static void assertClose(String what, double[] expected, double[] got, double bound) {
    double error = norm(moved(got, -1, expected));
    double size = Math.max(norm(expected), 1e-3);
    assertTrue(error <= bound * size, () -> "%s: off by %.3g of %.3g".formatted(what, error, size));
  }

  private static void assertEqualDots(String what, double a, double b, double size) {
    assertTrue(
        Math.abs(a - b) <= IDENTITIES * size, () -> "%s: %.17g is not %.17g".formatted(what, a, b));
  }
}
