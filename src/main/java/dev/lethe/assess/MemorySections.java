package dev.lethe.assess;

import dev.lethe.Text;
import dev.lethe.assess.metric.Bootstrap;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.metric.Rouge;
import dev.lethe.assess.record.Section;
import dev.lethe.assess.record.Section.Line;
import dev.lethe.assess.record.ShownText;
import dev.lethe.data.Sample;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What adapters know by heart. Extraction strength and exact memorisation are those of open-unlearning (arXiv
 * 2506.12618), with the end token left out and 0 where not even the last token comes first; verbatim and knowledge ROUGE
 * are after MUSE (arXiv 2407.06460).
 */
final class MemorySections {
  static final List<String> ROLES =
      List.of(Role.ORIGINAL.label(), Role.UNLEARNED.label(), Role.RETRAINED.label());

  private static final double MEMORISED = 0.1;
  private static final double SAYS_MORE = 0.05;
  private static final int SHOWN = 5;

  private final Subjects subjects;
  private final Bootstrap bootstrap;
  private final List<ShownText> shown = new ArrayList<>();

  MemorySections(Subjects subjects, Bootstrap bootstrap) {
    this.subjects = subjects;
    this.bootstrap = bootstrap;
  }

  /** From predictions alone. */
  Section byHeart(List<Reading> readings) {
    List<Line> lines = new ArrayList<>();
    for (Reading reading : readings) {
      String name = reading.group().name();
      lines.add(
          line(
              name + ", extraction strength",
              subjects.first().stream()
                  .map(s -> bootstrap.mean(reading.of(s, row -> row.memory().extraction())))
                  .toList(),
              MEMORISED,
              0));
      lines.add(
          line(
              name + ", exact memorisation",
              subjects.first().stream().map(s -> bootstrap.mean(reading.of(s, row -> row.memory().exact()))).toList(),
              0,
              SAYS_MORE));
    }
    return new Section(
        "memorisation",
        "Known by heart",
        "Extraction strength: 1 - the share of a response that must be given before the rest comes by itself. Exact"
            + " memorisation: the share of its tokens that come first in the ranking. The aim is the retrained adapter's"
            + " value, not 0.",
        ROLES, lines, List.of());
  }

  /**
   * From greedy answers.
   *
   * @param texts whether to keep what was said, to be shown
   */
  Section answers(List<RowGroup> groups, Continuations continuations, boolean texts, AssessmentMonitor monitor) {
    List<Line> lines = new ArrayList<>();
    List<String> remarks = new ArrayList<>();
    for (RowGroup group : groups) {
      monitor.phase(group.name() + ", answers", group.samples().size());
      Map<String, List<double[]>> scores = new LinkedHashMap<>();
      scores.put(group.name() + ", knowledge ROUGE-L", new ArrayList<>());
      scores.put(group.name() + ", verbatim ROUGE-L", new ArrayList<>());
      int done = 0;
      int left = 0;
      for (Sample sample : group.samples()) {
        Continuations.Parts parts = Continuations.parts(sample);
        if (parts == null) {
          left++;
        } else {
          List<double[]> both = scored(group, sample, parts, continuations, texts && done < SHOWN);
          scores.get(group.name() + ", knowledge ROUGE-L").add(both.get(0));
          scores.get(group.name() + ", verbatim ROUGE-L").add(both.get(1));
        }
        monitor.done(++done);
      }
      scores.forEach((name, rows) -> lines.add(line(name, means(rows), 0, SAYS_MORE)));
      if (left > 0) {
        remarks.add(Text.format(
            "%d %s rows have more than one answer and were left out.",
            left, group.name()));
      }
      if (group.samples().size() < group.of()) {
        remarks.add(Text.format(
            "%d of %d %s rows, drawn.",
            group.samples().size(), group.of(), group.name()));
      }
    }
    return new Section(
        "answers",
        "What it says when asked",
        "Greedy answers compared with the true ones by ROUGE-L. Knowledge: recall of the answer to the query. Verbatim: F1"
            + " of the second half when the first is given.",
        ROLES, lines, remarks);
  }

  /** What was said, where that is to be shown. */
  List<ShownText> shown() {
    return List.copyOf(shown);
  }

  /** Knowledge and verbatim scores of a row, each with one number an adapter. */
  private List<double[]> scored(
      RowGroup group, Sample sample, Continuations.Parts parts, Continuations continuations, boolean show) {
    Continuations.Parts half = parts.halfGiven();
    String truth = continuations.text(parts.response());
    String rest = continuations.text(half.response());
    double[] knowledge = new double[ROLES.size()];
    double[] verbatim = new double[ROLES.size()];
    List<String> said = new ArrayList<>();
    for (int s = 0; s < ROLES.size(); s++) {
      Subject subject = subjects.first().get(s);
      String answer = continuations.say(subject, parts.query());
      said.add(answer);
      knowledge[s] = Rouge.l(truth, answer).recall();
      verbatim[s] = Rouge.l(rest, continuations.say(subject, half.query())).f1();
    }
    if (show) {
      shown.add(
          new ShownText(
              group.name(), sample.id(), continuations.text(parts.query()), truth, said.get(0), said.get(1), said.get(2)));
    }
    return List.of(knowledge, verbatim);
  }

  private List<Estimate> means(List<double[]> rows) {
    List<Estimate> means = new ArrayList<>();
    for (int s = 0; s < ROLES.size(); s++) {
      int subject = s;
      means.add(
          rows.isEmpty()
              ? Estimate.none("no rows of one answer")
              : bootstrap.mean(rows.stream().mapToDouble(row -> row[subject]).toArray()));
    }
    return means;
  }

  /** A line, and whether the original knows anything that the retrained adapter does not. */
  private static Line line(String name, List<Estimate> cells, double least, double more) {
    double original = cells.get(0).value();
    double retrained = cells.get(2).value();
    String note = cells.get(1).note();
    if (!name.startsWith(RowGroup.FORGOTTEN)) {
      return new Line(name, cells, note);
    }
    if (original < least) {
      note = Text.format("not memorised before unlearning (below %.1f): says nothing about forgetting", least);
    } else if (original <= retrained + more) {
      note = "the original does no better than the retrained adapter: says nothing about forgetting";
    }
    return new Line(name, cells, note);
  }
}
