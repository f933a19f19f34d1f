package dev.lethe.backend.contract.harness;

import dev.lethe.Text;
import java.util.Arrays;

/** Expectations of contract cases; what does not hold is an AssertionError. */
public final class Expect {
  private Expect() {}

  public static void that(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  public static void equal(Object expected, Object got, String what) {
    if (!expected.equals(got)) {
      throw new AssertionError(Text.format("%s: expected %s, got %s", what, expected, got));
    }
  }

  /** The same but for an absolute difference. */
  public static void close(double expected, double got, double allowed, String what) {
    if (!(Math.abs(expected - got) <= allowed)) {
      throw new AssertionError(
          Text.format(
              "%s: expected %s, got %s, allowed is a difference of %.3g",
              what, expected, got, allowed));
    }
  }

  /** The same numbers to the bit. */
  public static void same(double[] expected, double[] got, String what) {
    int at = Arrays.mismatch(expected, got);
    if (at >= 0) {
      throw new AssertionError(
          Text.format(
              "%s: element %d of %d: expected %s, got %s",
              what, at, expected.length, element(expected, at), element(got, at)));
    }
  }

  private static String element(double[] numbers, int at) {
    return at < numbers.length ? Double.toString(numbers[at]) : "nothing";
  }
}
