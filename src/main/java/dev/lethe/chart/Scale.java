package dev.lethe.chart;

import java.util.ArrayList;
import java.util.List;

/**
 * An axis: from values to pixels, linear from zero or logarithmic.
 *
 * @param low the value at {@code start}
 * @param high the value at {@code end}
 */
public record Scale(boolean logarithmic, double low, double high, double start, double end) {

  /** From zero to a round number not below the largest value. */
  public static Scale linear(double largest, double start, double end) {
    double step = step(largest);
    return new Scale(false, 0, step * Math.max(1, Math.ceil(largest / step - 1e-9)), start, end);
  }

  /** From one power of two to another, round the values. */
  static Scale logarithmic(double smallest, double largest, double start, double end) {
    double low = Math.pow(2, Math.floor(log2(smallest)));
    double high = Math.pow(2, Math.ceil(log2(largest)));
    return new Scale(true, low, high > low ? high : 2 * low, start, end);
  }

  /** The pixel of a value. */
  public double at(double value) {
    double share =
        logarithmic
            ? (log2(value) - log2(low)) / (log2(high) - log2(low))
            : (value - low) / (high - low);
    return start + share * (end - start);
  }

  /** Round values to be marked. */
  public List<Double> ticks() {
    List<Double> ticks = new ArrayList<>();
    if (logarithmic) {
      double factor = log2(high) - log2(low) > 8 ? 4 : 2;
      for (double tick = low; tick <= high * 1.001; tick *= factor) {
        ticks.add(tick);
      }
    } else {
      double step = step(high);
      for (int i = 0; i * step <= high * 1.001; i++) {
        ticks.add(i * step);
      }
    }
    return ticks;
  }

  /** Three significant digits, with K and M for thousands and millions. */
  public static String label(double value) {
    double size = Math.abs(value);
    if (size >= 1e6) {
      return digits(value / 1e6) + "M";
    }
    return size >= 1e4 ? digits(value / 1e3) + "K" : digits(value);
  }

  private static String digits(double value) {
    if (value == 0) {
      return "0";
    }
    int decimals = Math.clamp(2 - (long) Math.floor(Math.log10(Math.abs(value))), 0, 6);
    String text = Svg.format("%." + decimals + "f", value);
    return text.contains(".") ? text.replaceAll("\\.?0+$", "") : text;
  }

  /** 1, 2 or 5 times a power of ten: about five steps up to the largest value. */
  private static double step(double largest) {
    double rough = largest > 0 ? largest / 5 : 1;
    double power = Math.pow(10, Math.floor(Math.log10(rough)));
    double lead = rough / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
  }

  private static double log2(double value) {
    return Math.log(value) / Math.log(2);
  }
}
