package dev.lethe.chart;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.DoubleStream;

/**
 * Lines over a logarithmic axis pair: how a cost grows. On such axes proportional growth is a straight line, and each series is
 * drawn beside a dashed one through its first point.
 *
 * @param title what is shown
 * @param subtitle where it was measured
 * @param xName what grows
 * @param yName what is measured, with its unit
 * @param exponent slope of the dashed line: 1 for proportional growth, 0 for none, -1 for ideal speed-up
 * @param lines the series
 */
public record LineChart(
    String title, String subtitle, String xName, String yName, double exponent, List<Line> lines) {
  private static final int WIDTH = 760;
  private static final int HEIGHT = 520;
  private static final int LEFT = 80;
  private static final int RIGHT = 30;
  private static final int TOP = 96;
  private static final int BOTTOM = 64;

  /**
   * A series.
   *
   * @param x positive, ascending
   * @param y positive, as many
   */
  public record Line(String name, double[] x, double[] y) {}

  /** Writes the chart as SVG, whole or not at all. */
  public void write(Path file) {
    draw().write(file);
  }

  /** The chart, drawn. */
  public Svg draw() {
    Svg svg = new Svg(WIDTH, HEIGHT, title, subtitle);
    svg.legend(20, 74, lines.stream().map(Line::name).toList());
    Scale across =
        Scale.logarithmic(
            values(Line::x).min().orElse(1), values(Line::x).max().orElse(2), LEFT, WIDTH - RIGHT);
    Scale up =
        Scale.logarithmic(
            values(Line::y).min().orElse(1), values(Line::y).max().orElse(2), HEIGHT - BOTTOM, TOP);
    for (double tick : across.ticks()) {
      svg.line(across.at(tick), TOP, across.at(tick), HEIGHT - BOTTOM, "grid");
      svg.text(across.at(tick), HEIGHT - BOTTOM + 20, Svg.Anchor.MIDDLE, "faint", Scale.label(tick));
    }
    for (double tick : up.ticks()) {
      svg.line(LEFT, up.at(tick), WIDTH - RIGHT, up.at(tick), "grid");
      svg.text(LEFT - 8, up.at(tick) + 4, Svg.Anchor.END, "faint", Scale.label(tick));
    }
    svg.text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 18, Svg.Anchor.MIDDLE, "", xName);
    svg.text(WIDTH - RIGHT, TOP - 8, Svg.Anchor.END, "faint", yName + "; dashed: " + expected());
    for (int i = 0; i < lines.size(); i++) {
      line(svg, across, up, lines.get(i), Svg.colour(i));
    }
    return svg;
  }

  private void line(Svg svg, Scale across, Scale up, Line line, String colour) {
    List<double[]> measured = new ArrayList<>();
    List<double[]> ideal = new ArrayList<>();
    for (int i = 0; i < line.x().length; i++) {
      double x = across.at(line.x()[i]);
      double y = up.at(line.y()[i]);
      measured.add(new double[] {x, y});
      svg.dot(x, y, colour);
      double expected = line.y()[0] * Math.pow(line.x()[i] / line.x()[0], exponent);
      if (expected >= up.low() && expected <= up.high()) {
        ideal.add(new double[] {x, up.at(expected)});
      }
    }
    svg.path(ideal, colour, true);
    svg.path(measured, colour, false);
  }

  private String expected() {
    return exponent == 1 ? "in proportion" : exponent == 0 ? "constant" : "x to the " + Scale.label(exponent);
  }

  private DoubleStream values(Function<Line, double[]> of) {
    return lines.stream().flatMapToDouble(line -> DoubleStream.of(of.apply(line)));
  }
}
