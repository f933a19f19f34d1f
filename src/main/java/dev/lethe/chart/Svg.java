package dev.lethe.chart;

import dev.lethe.Text;
import dev.lethe.format.file.AtomicFiles;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** The elements that the charts are drawn from: one SVG document, readable on light and dark pages. */
public final class Svg {
  /** Anchors of a text. */
  public enum Anchor {
    START,
    MIDDLE,
    END
  }

  /** Colours that people with any colour vision tell apart (Okabe and Ito, 2008). */
  private static final List<String> COLOURS =
      List.of("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8a8a8a");

  private static final String STYLE =
      """
      <style>
      text { font: 13px system-ui, sans-serif; fill: #222 }
      .title { font-size: 17px; font-weight: 600 }
      .faint { fill: #666 }
      .grid { stroke: #ddd }
      .axis { stroke: #888 }
      .page { fill: #fff }
      @media (prefers-color-scheme: dark) {
        text { fill: #e8e8e8 } .faint { fill: #aaa } .grid { stroke: #333 } .axis { stroke: #888 } .page { fill: #16181c }
      }
      </style>
      """;

  private final StringBuilder body = new StringBuilder();
  private final int width;
  private final int height;

  /** A page of this many pixels, with a title and a line below it. */
  public Svg(int width, int height, String title, String subtitle) {
    this.width = width;
    this.height = height;
    text(20, 28, Anchor.START, "title", title);
    text(20, 48, Anchor.START, "faint", subtitle);
  }

  /** The colour of a series by its number. */
  public static String colour(int series) {
    return COLOURS.get(series % COLOURS.size());
  }

  /** A text; kinds are {@code title}, {@code faint} and none. */
  public void text(double x, double y, Anchor anchor, String kind, String text) {
    body.append(
        format(
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">%s</text>%n",
            x, y, anchor.name().toLowerCase(Locale.ROOT), kind, escaped(text)));
  }

  /** A line; kinds are {@code grid} and {@code axis}. */
  public void line(double x1, double y1, double x2, double y2, String kind) {
    body.append(
        format(
            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>%n",
            x1, y1, x2, y2, kind));
  }

  /** A filled bar from its upper left corner. */
  public void bar(double x, double y, double length, double thickness, String colour) {
    body.append(
        format(
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" fill=\"%s\"/>%n",
            x, y, length, thickness, colour));
  }

  /** A point. */
  public void dot(double x, double y, String colour) {
    body.append(format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>%n", x, y, colour));
  }

  /** A line through points that alternate x and y; dashed for what is expected and not measured. */
  public void path(List<double[]> points, String colour, boolean dashed) {
    body.append("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"").append(colour);
    body.append(dashed ? "\" stroke-dasharray=\"4 5\" points=\"" : "\" points=\"");
    for (double[] point : points) {
      body.append(format("%.1f,%.1f ", point[0], point[1]));
    }
    body.append("\"/>\n");
  }

  /** The names of the series, each beside its colour, in a row that begins at x. */
  public void legend(double x, double y, List<String> names) {
    double at = x;
    for (int i = 0; i < names.size(); i++) {
      bar(at, y - 10, 12, 12, colour(i));
      text(at + 18, y, Anchor.START, "", names.get(i));
      at += 18 + 6.7 * names.get(i).length() + 18;
    }
  }

  /** Writes the document, whole or not at all; what is there is replaced. */
  public void write(Path file) {
    AtomicFiles.writeText(file, document());
  }

  /** The whole document. */
  public String document() {
    return format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">%n",
            width, height, width, height)
        + STYLE
        + "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n"
        + body
        + "</svg>\n";
  }

  /** Formats numbers alike everywhere. */
  public static String format(String pattern, Object... values) {
    return Text.format(pattern.replace("%n", "\n"), values);
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
