package dev.lethe.chart;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Horizontal bars in groups, one bar a series in each group: how long each thing takes each way.
 *
 * @param title what is shown
 * @param subtitle where it was measured
 * @param unit of the values
 * @param series names of the bars of a group
 * @param groups the groups from top to bottom
 */
public record BarChart(
    String title, String subtitle, String unit, List<String> series, List<Group> groups) {
  private static final int WIDTH = 900;
  private static final int LEFT = 190;
  private static final int RIGHT = 130;
  private static final int TOP = 96;
  private static final int THICKNESS = 18;
  private static final int GAP = 18;

  /**
   * A group of bars.
   *
   * @param name what the bars are of
   * @param values a value for each series; NaN where there is none
   * @param note a few words behind the bars' first value; may be empty
   */
  public record Group(String name, double[] values, String note) {}

  /** Writes the chart as SVG, whole or not at all. */
  public void write(Path file) {
    draw().write(file);
  }

  /** The chart, drawn. */
  public Svg draw() {
    int step = series.size() * THICKNESS + GAP;
    Svg svg = new Svg(WIDTH, TOP + groups.size() * step + 44, title, subtitle);
    svg.legend(20, 74, series);
    double largest =
        groups.stream()
            .flatMapToDouble(group -> Arrays.stream(group.values()))
            .filter(Double::isFinite)
            .max()
            .orElse(1);
    Scale scale = Scale.linear(largest, LEFT, WIDTH - RIGHT);
    double bottom = TOP + groups.size() * step;
    for (double tick : scale.ticks()) {
      svg.line(scale.at(tick), TOP - 6, scale.at(tick), bottom, "grid");
      svg.text(scale.at(tick), bottom + 18, Svg.Anchor.MIDDLE, "faint", Scale.label(tick));
    }
    svg.text(WIDTH - RIGHT, bottom + 36, Svg.Anchor.END, "faint", unit);
    for (int g = 0; g < groups.size(); g++) {
      group(svg, scale, groups.get(g), TOP + g * (double) step);
    }
    svg.line(LEFT, TOP - 6, LEFT, bottom, "axis");
    return svg;
  }

  private void group(Svg svg, Scale scale, Group group, double y) {
    double middle = y + series.size() * THICKNESS / 2.0 + 4;
    svg.text(LEFT - 10, middle, Svg.Anchor.END, "", group.name());
    for (int i = 0; i < series.size(); i++) {
      double value = group.values()[i];
      double top = y + i * (double) THICKNESS;
      String text = Double.isFinite(value) ? Scale.label(value) : "none";
      double length = Double.isFinite(value) ? scale.at(value) - LEFT : 0;
      svg.bar(LEFT, top, length, THICKNESS - 3.0, Svg.colour(i));
      String note = i == 0 && !group.note().isEmpty() ? text + "  (" + group.note() + ")" : text;
      svg.text(LEFT + length + 6, top + 12, Svg.Anchor.START, i == 0 ? "" : "faint", note);
    }
  }
}
