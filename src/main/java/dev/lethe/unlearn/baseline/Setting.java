package dev.lethe.unlearn.baseline;

import dev.lethe.LetheException;
import dev.lethe.Text;

/**
 * One hyper-parameter.
 *
 * @param name as in {@code --set NAME=VALUE}
 * @param usual its default: the published value, where there is one
 * @param least the smallest value
 * @param most the largest value
 * @param whole whether it counts something
 * @param meaning in words
 */
public record Setting(String name, double usual, double least, double most, boolean whole, String meaning) {
  private static final double MOST_COUNT = 1e9;

  /** A number from 0 on. */
  static Setting weight(String name, double usual, String meaning) {
    return new Setting(name, usual, 0, Double.MAX_VALUE, false, meaning);
  }

  /** A number above 0. */
  static Setting positive(String name, double usual, String meaning) {
    return new Setting(name, usual, Double.MIN_VALUE, Double.MAX_VALUE, false, meaning);
  }

  /** A count from a least one on. */
  static Setting count(String name, long usual, long least, String meaning) {
    return new Setting(name, usual, least, MOST_COUNT, true, meaning);
  }

  /** 0 or 1. */
  static Setting choice(String name, long usual, String meaning) {
    return new Setting(name, usual, 0, 1, true, meaning);
  }

  /** The value where it is one that this may have. */
  double checked(String method, double value) {
    boolean fits = value >= least && value <= most && (!whole || value == Math.rint(value));
    if (!fits) {
      throw new LetheException(
          "--method " + method, "the setting " + name + " is out of range", range(), label(value),
          "Pass another value with --set, or leave it out for " + label(usual) + ".");
    }
    return value;
  }

  /** A value as it is written. */
  public static String label(double value) {
    return value == Math.rint(value) && Math.abs(value) < MOST_COUNT
        ? Text.format("%.0f", value)
        : Double.toString(value).replace(".0E", "e").replace('E', 'e');
  }

  private String range() {
    return (whole ? "a whole number, " : "a number, ")
        + (least == Double.MIN_VALUE ? "above 0" : "at least " + label(least))
        + (most < MOST_COUNT ? " and at most " + label(most) : "");
  }
}
