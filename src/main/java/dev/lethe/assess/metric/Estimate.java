package dev.lethe.assess.metric;

/**
 * A measured number and how sure it is.
 *
 * @param value NaN where there is nothing to say
 * @param low lower end of its 95 % interval; NaN where there is none
 * @param high upper end
 * @param rows how many rows it comes from
 * @param note why it says nothing, or less than it seems to; null where nothing is to be said
 */
public record Estimate(double value, double low, double high, int rows, String note) {

  /** A number without an interval. */
  public static Estimate exact(double value, int rows) {
    return new Estimate(value, Double.NaN, Double.NaN, rows, null);
  }

  /** No number, and why. */
  public static Estimate none(String why) {
    return new Estimate(Double.NaN, Double.NaN, Double.NaN, 0, why);
  }

  /** The same number with a remark. */
  public Estimate noted(String remark) {
    return new Estimate(value, low, high, rows, remark);
  }

  /** Whether there is a number. */
  public boolean exists() {
    return !Double.isNaN(value);
  }

  /** Whether the number has an interval. */
  public boolean hasInterval() {
    return !Double.isNaN(low) && !Double.isNaN(high);
  }
}
