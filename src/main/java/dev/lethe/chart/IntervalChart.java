package dev.lethe.chart;

import java.util.ArrayList;
import java.util.List;

/**
 * Means with their intervals, a line each, on one axis; what lies outside of it is drawn at its end with its number.
 *
 * @param title what is shown
 * @param subtitle where it was measured
 * @param name what is measured
 * @param low the axis' left end
 * @param high its right end
 * @param series names of the marks on each line
 * @param groups the lines from top to bottom
 */
public record IntervalChart(
    String title, String subtitle, String name, double low, double high, List<String> series, List<Group> groups) {
  private static final int WIDTH = 900;
  private static final int LEFT = 300;
  private static final int RIGHT = 80;
  private static final int TOP = 96;
  private static final int STEP = 16;
  private static final int GAP = 10;
  private static final int TICKS = 4;

  /**
   * The marks of one line.
   *
   * @param name whose they are
   * @param marks one for each series
   */
  public record Group(String name, List<Mark> marks) {}

  /**
   * A mean and its interval.
   *
   * @param mean NaN: nothing is drawn
   * @param low NaN: no interval
   * @param high likewise
   */
  public record Mark(double mean, double low, double high) {}

  /** The chart, drawn. */
  public Svg draw() {
    int step = series.size() * STEP + GAP;
    double bottom = TOP + groups.size() * (double) step;
    Svg svg = new Svg(WIDTH, (int) bottom + 48, title, subtitle);
    svg.legend(20, 74, series);
    for (int i = 0; i <= TICKS; i++) {
      double tick = low + i * (high - low) / TICKS;
      svg.line(at(tick), TOP - 6, at(tick), bottom, tick == 0 || tick == 1 ? "axis" : "grid");
      svg.text(at(tick), bottom + 18, Svg.Anchor.MIDDLE, "faint", Scale.label(tick));
    }
    svg.text(WIDTH - RIGHT, bottom + 38, Svg.Anchor.END, "faint", name);
    for (int g = 0; g < groups.size(); g++) {
      double y = TOP + g * (double) step;
      svg.text(LEFT - 12, y + series.size() * STEP / 2.0 + 4, Svg.Anchor.END, "", groups.get(g).name());
      for (int i = 0; i < series.size(); i++) {
        mark(svg, groups.get(g).marks().get(i), y + i * (double) STEP + STEP / 2.0, Svg.colour(i));
      }
    }
    return svg;
  }

  private void mark(Svg svg, Mark mark, double y, String colour) {
    if (!Double.isFinite(mark.mean)) {
      return;
    }
    double x = at(mark.mean);
    if (Double.isFinite(mark.low)) {
      svg.path(new ArrayList<>(List.of(new double[] {at(mark.low), y}, new double[] {at(mark.high), y})), colour, false);
    }
    svg.dot(x, y, colour);
    if (mark.mean < low || mark.mean > high) {
      svg.text(
          x + (mark.mean < low ? 8 : -8), y + 4, mark.mean < low ? Svg.Anchor.START : Svg.Anchor.END, "faint",
          Scale.label(mark.mean));
    }
  }

  private double at(double value) {
    return LEFT + (Math.clamp(value, low, high) - low) / (high - low) * (WIDTH - RIGHT - LEFT);
  }
}
