package dev.lethe.assess.report;

import dev.lethe.Text;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.record.AssessmentRecord;
import dev.lethe.assess.record.AssessmentText;
import dev.lethe.assess.record.Curve;
import dev.lethe.assess.record.Section;
import dev.lethe.chart.Scale;
import dev.lethe.chart.Svg;
import java.util.ArrayList;
import java.util.List;

/** The pictures of a report. */
final class Pictures {
  private static final int WIDTH = 820;
  private static final int LEFT = 150;
  private static final int RIGHT = 40;
  private static final List<String> ROLES = List.of("original", "unlearned", "retrained");
  private static final String BAND = "#8a8a8a55";

  /** How many times the original's distance the axis reaches where other retrainings lie beyond. */
  private static final double REACH = 1.5;

  private Pictures() {}

  /** Where each adapter lies between retraining and the original, a line for each kind of rows. */
  static String distances(AssessmentRecord record) {
    Section section = record.section("distance_kl");
    List<Section.Line> lines = section.lines().stream().filter(line -> line.cells().get(2).exists()).toList();
    int step = 92;
    Svg svg =
        new Svg(
            WIDTH, 80 + lines.size() * step,
            "How far from retraining?",
            "0 is the retrained adapter, 1 is the original: what nothing done would leave. Farther left is better.");
    for (int i = 0; i < lines.size(); i++) {
      distance(svg, section, lines.get(i), 104 + i * (double) step);
    }
    return svg.document();
  }

  private static void distance(Svg svg, Section section, Section.Line line, double y) {
    double original = line.cells().get(0).value();
    Estimate closed = line.cells().get(2);
    Estimate noise = section.at(line.name(), "other retrainings");
    double far = noise.exists() ? noise.value() / original : 0;
    double left = 1 - closed.value();
    double end = Math.max(Math.max(1.1, left * 1.05), Math.min(far, REACH));
    Scale scale = Scale.linear(end, LEFT, WIDTH - RIGHT);
    svg.text(LEFT - 14, y + 4, Svg.Anchor.END, "", line.name() + " rows");
    if (far > 0) {
      double reach = Math.min(scale.at(far), WIDTH - RIGHT);
      svg.bar(LEFT, y - 15, reach - LEFT, 30, BAND);
      String words =
          far > scale.high()
              ? Text.format("other retrainings lie at %s, beyond this picture", AssessmentText.digits(far))
              : "other retrainings lie at " + AssessmentText.digits(far);
      svg.text(WIDTH - RIGHT, y - 20, Svg.Anchor.END, "faint", words);
    }
    svg.line(LEFT, y, WIDTH - RIGHT, y, "axis");
    for (double tick : scale.ticks()) {
      svg.line(scale.at(tick), y - 4, scale.at(tick), y + 4, "axis");
      svg.text(scale.at(tick), y + 36, Svg.Anchor.MIDDLE, "faint", Scale.label(tick));
    }
    mark(svg, scale.at(0), y, 2, "retrained", Svg.Anchor.START);
    mark(svg, scale.at(1), y, 0, "original", Svg.Anchor.MIDDLE);
    if (closed.hasInterval()) {
      double from = scale.at(Math.max(0, 1 - closed.high()));
      svg.bar(from, y - 3, Math.max(2, scale.at(1 - closed.low()) - from), 6, Svg.colour(1));
    }
    mark(svg, scale.at(left), y, 1, "unlearned", left < 0.15 ? Svg.Anchor.START : Svg.Anchor.MIDDLE);
  }

  /** The retrained adapter's name stands above, the others' below the axis, so that none hides another. */
  private static void mark(Svg svg, double x, double y, int colour, String name, Svg.Anchor anchor) {
    svg.bar(x - 4, y - 8, 8, 16, Svg.colour(colour));
    svg.text(anchor == Svg.Anchor.START ? x - 4 : x, colour == 2 ? y - 14 : y + 21, anchor, "", name);
  }

  /** Losses of the three adapters on each kind of rows. */
  static String losses(AssessmentRecord record) {
    Section section = record.section("losses");
    int thick = 20;
    int step = 3 * thick + 22;
    Svg svg =
        new Svg(
            WIDTH, 110 + section.lines().size() * step,
            "How surprised is each adapter by the answers?",
            "Mean loss of a row, in nats: low where the answers were learnt. Whiskers: 95 % intervals.");
    svg.legend(20, 74, ROLES);
    double most =
        section.lines().stream()
            .flatMap(line -> line.cells().stream())
            .mapToDouble(cell -> cell.hasInterval() ? cell.high() : cell.value())
            .max()
            .orElse(1);
    Scale scale = Scale.linear(most, LEFT, WIDTH - RIGHT - 60);
    for (int i = 0; i < section.lines().size(); i++) {
      Section.Line line = section.lines().get(i);
      double y = 96 + i * (double) step;
      svg.text(LEFT - 14, y + 1.5 * thick + 4, Svg.Anchor.END, "", line.name() + " rows");
      for (int s = 0; s < ROLES.size(); s++) {
        Estimate cell = line.cells().get(s);
        double top = y + s * (double) thick;
        svg.bar(LEFT, top, scale.at(cell.value()) - LEFT, thick - 4.0, Svg.colour(s));
        double end = cell.hasInterval() ? scale.at(cell.high()) : scale.at(cell.value());
        if (cell.hasInterval()) {
          svg.line(scale.at(cell.low()), top + 8, end, top + 8, "axis");
          svg.line(end, top + 4, end, top + 12, "axis");
          svg.line(scale.at(cell.low()), top + 4, scale.at(cell.low()), top + 12, "axis");
        }
        svg.text(end + 8, top + 12, Svg.Anchor.START, "faint", Text.format("%.2f", cell.value()));
      }
    }
    return svg.document();
  }

  /** ROC curves of an attack; empty where none was tried. */
  static String attacks(AssessmentRecord record) {
    if (record.curves().isEmpty()) {
      return "";
    }
    int side = 340;
    int top = 96;
    Svg svg =
        new Svg(
            WIDTH, top + side + 60,
            "Can an attacker tell that the rows were trained on?",
            "The attack Min-K, forgotten rows against strangers. On the diagonal it guesses; the aim is the retrained curve.");
    svg.legend(20, 74, ROLES);
    Scale across = Scale.linear(1, LEFT, LEFT + side);
    Scale up = Scale.linear(1, top + side, top);
    for (double tick : across.ticks()) {
      svg.line(across.at(tick), top, across.at(tick), top + side, "grid");
      svg.line(LEFT, up.at(tick), LEFT + side, up.at(tick), "grid");
      svg.text(across.at(tick), top + side + 18, Svg.Anchor.MIDDLE, "faint", Scale.label(tick));
      svg.text(LEFT - 8, up.at(tick) + 4, Svg.Anchor.END, "faint", Scale.label(tick));
    }
    svg.line(LEFT, top + side, LEFT + side, top, "axis");
    svg.text(LEFT + side / 2.0, top + side + 40, Svg.Anchor.MIDDLE, "", "share of strangers taken for trained rows");
    svg.text(LEFT + side + 30, top + 130, Svg.Anchor.START, "faint", "upwards: share of forgotten rows found");
    for (int s = 0; s < record.curves().size(); s++) {
      Curve curve = record.curves().get(s);
      List<double[]> points = new ArrayList<>();
      for (int i = 0; i < curve.falseShare().length; i++) {
        points.add(new double[] {across.at(curve.falseShare()[i]), up.at(curve.trueShare()[i])});
      }
      svg.path(points, Svg.colour(s), false);
      svg.text(
          LEFT + side + 30, top + 30 + 26.0 * s, Svg.Anchor.START, "",
          Text.format(
              "%s: AUC %s",
              curve.name(), AssessmentText.number(record.section("attacks").at("min-k", curve.name()))));
    }
    return svg.document();
  }

  /** Whether any distance can be drawn. */
  static boolean hasDistances(AssessmentRecord record) {
    return record.section("distance_kl").lines().stream().anyMatch(line -> line.cells().get(2).exists());
  }
}
