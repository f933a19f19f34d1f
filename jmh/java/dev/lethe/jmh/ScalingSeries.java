package dev.lethe.jmh;

import java.util.Locale;

/**
 * One operation along one axis.
 *
 * @param x the axis's values
 * @param seconds least time at each
 * @param bytes the most that live tensors held at each, beyond model, batch and vectors
 */
record ScalingSeries(
    ScalingAxis axis, Measured operation, double[] x, double[] seconds, double[] bytes) {
  /** One line: by what the last doubling multiplies time and memory. */
  String summary() {
    return String.format(
        Locale.ROOT,
        "| %s | %s | %.2f to %.2f ms | %.2f | %.1f to %.1f MB | %.2f |",
        axis.name(),
        operation.label(),
        1e3 * seconds[0],
        1e3 * last(seconds, 0),
        last(seconds, 0) / last(seconds, 1),
        1e-6 * bytes[0],
        1e-6 * last(bytes, 0),
        last(bytes, 0) / last(bytes, 1));
  }

  private static double last(double[] values, int before) {
    return values[values.length - 1 - before];
  }
}
