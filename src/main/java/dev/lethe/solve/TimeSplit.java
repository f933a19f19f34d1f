package dev.lethe.solve;

/**
 * Where the time of a solve went, in seconds.
 *
 * @param products curvature products
 * @param vectors vector arithmetic
 * @param other everything else
 */
public record TimeSplit(double products, double vectors, double other) {
  /** All of it. */
  public double total() {
    return products + vectors + other;
  }
}
