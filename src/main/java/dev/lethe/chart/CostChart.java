package dev.lethe.chart;

import java.util.List;

/**
 * What things are worth beside what they cost: a point each, the cost on a logarithmic axis. What is worth less than the
 * axis shows lies on its lower end.
 *
 * @param title what is shown
 * @param subtitle where it was measured
 * @param xName what is spent
 * @param yName what it is worth
 * @param low the lower end of the worth
 * @param high its upper end
 */
public record CostChart(
    String title, String subtitle, String xName, String yName, double low, double high, List<Point> points) {
  private static final int WIDTH = 760;
  private static final int HEIGHT = 520;
  private static final int LEFT = 80;
  private static final int RIGHT = 150;
  private static final int TOP = 80;
  private static final int BOTTOM = 64;
  private static final int TICKS = 4;

  /**
   * One thing.
   *
   * @param x cost, above 0
   */
  public record Point(String name, double x, double y) {}

  /** The chart, drawn. */
  public Svg draw() {
    Svg svg = new Svg(WIDTH, HEIGHT, title, subtitle);
    Scale across =
        Scale.logarithmic(
            points.stream().mapToDouble(Point::x).min().orElse(1),
            points.stream().mapToDouble(Point::x).max().orElse(2), LEFT, WIDTH - RIGHT);
    for (double tick : across.ticks()) {
      svg.line(across.at(tick), TOP, across.at(tick), HEIGHT - BOTTOM, "grid");
      svg.text(across.at(tick), HEIGHT - BOTTOM + 20, Svg.Anchor.MIDDLE, "faint", Scale.label(tick));
    }
    for (int i = 0; i <= TICKS; i++) {
      double tick = low + i * (high - low) / TICKS;
      svg.line(LEFT, up(tick), WIDTH - RIGHT, up(tick), tick == 0 ? "axis" : "grid");
      svg.text(LEFT - 8, up(tick) + 4, Svg.Anchor.END, "faint", Scale.label(tick));
    }
    svg.text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 18, Svg.Anchor.MIDDLE, "", xName);
    svg.text(LEFT, TOP - 10, Svg.Anchor.START, "faint", yName);
    for (int i = 0; i < points.size(); i++) {
      Point point = points.get(i);
      svg.dot(across.at(point.x), up(point.y), Svg.colour(i));
      svg.text(across.at(point.x) + 7, up(point.y) + 4, Svg.Anchor.START, "", point.name);
    }
    return svg;
  }

  private double up(double value) {
    return HEIGHT - BOTTOM - (Math.clamp(value, low, high) - low) / (high - low) * (HEIGHT - BOTTOM - TOP);
  }
}
