package dev.lethe.assess.further;

import dev.lethe.assess.Assessment;
import dev.lethe.assess.AssessmentMonitor;
import dev.lethe.assess.Role;
import dev.lethe.assess.RowGroup;
import dev.lethe.assess.Subject;
import dev.lethe.assess.Subjects;
import dev.lethe.assess.metric.Bootstrap;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.record.Section;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Row;
import dev.lethe.evaluate.Auc;
import dev.lethe.evaluate.Candidates;
import dev.lethe.session.Session;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Questions of two answers, as recommendation is in TALLRec (arXiv 2305.00447): the AUC of log p(first) − log p(second), and
 * how often the likelier answer is the right one.
 */
public final class Choices implements Assessment.Measure {
  private final Session session;
  private final Session.Reading reading;
  private final List<Row> data;
  private final List<Row> heldOut;
  private final List<String> answers;
  private final Assessment.Options options;

  /**
   * @param data the rows that were trained on, in words
   * @param heldOut further rows, in words; may be empty
   * @param answers two
   */
  public Choices(
      Session session,
      Session.Reading reading,
      List<Row> data,
      List<Row> heldOut,
      List<String> answers,
      Assessment.Options options) {
    this.session = session;
    this.reading = reading;
    this.data = List.copyOf(data);
    this.heldOut = List.copyOf(heldOut);
    this.answers = List.copyOf(answers);
    this.options = options;
  }

  @Override
  public List<Section> of(
      Subjects subjects, UnlearnRequest request, Bootstrap bootstrap, AssessmentMonitor monitor) {
    Map<String, List<Row>> groups = groups(request);
    List<Row> all = groups.values().stream().flatMap(List::stream).toList();
    Candidates candidates =
        Candidates.of(
            all, answers.get(0), answers.get(1), session.encoder(all, reading), "questions of two answers");
    List<Section.Line> lines = new ArrayList<>();
    int from = 0;
    for (Map.Entry<String, List<Row>> group : groups.entrySet()) {
      int to = from + group.getValue().size();
      monitor.phase(group.getKey() + ", answers", subjects.first().size());
      List<Estimate> auc = new ArrayList<>();
      List<Estimate> accuracy = new ArrayList<>();
      for (Subject subject : subjects.first()) {
        DatasetLoss like = new DatasetLoss(subject.model(), List.of(), options.limits());
        List<Candidates.Scored> scored = candidates.scores(from, to, like, subject.theta());
        auc.add(bootstrap.of(scored.size(), rows -> auc(scored, rows)));
        accuracy.add(bootstrap.mean(scored.stream().mapToDouble(Choices::right).toArray()));
        monitor.done(auc.size());
      }
      lines.add(new Section.Line(group.getKey() + ", AUC", auc, null));
      lines.add(new Section.Line(group.getKey() + ", accuracy", accuracy, null));
      from = to;
    }
    return List.of(
        new Section(
            "choices",
            "Questions of two answers",
            "AUC: how often a row of the first answer scores above one of the second. Accuracy: how often the likelier of"
                + " the two answers is the row's own. The aim is the retrained adapter's value.",
            List.of(Role.ORIGINAL.label(), Role.UNLEARNED.label(), Role.RETRAINED.label()), lines, List.of()));
  }

  private Map<String, List<Row>> groups(UnlearnRequest request) {
    Set<String> forgotten = new HashSet<>(request.forgetIds());
    Map<String, List<Row>> groups = new LinkedHashMap<>();
    add(groups, RowGroup.FORGOTTEN, data.stream().filter(row -> forgotten.contains(row.id())).toList());
    Set<String> retained = new HashSet<>();
    RowGroup.drawn(RowGroup.RETAINED, request.retained(), options.rows(), options.seed())
        .samples()
        .forEach(row -> retained.add(row.id()));
    add(groups, RowGroup.RETAINED, data.stream().filter(row -> retained.contains(row.id())).toList());
    add(groups, RowGroup.HELD_OUT, heldOut);
    return groups;
  }

  private static void add(Map<String, List<Row>> groups, String name, List<Row> rows) {
    if (!rows.isEmpty()) {
      groups.put(name, rows);
    }
  }

  private static double right(Candidates.Scored row) {
    return row.score() == 0 ? 0.5 : row.score() > 0 == row.positive() ? 1 : 0;
  }

  private static double auc(List<Candidates.Scored> scored, int[] rows) {
    double[] scores = IntStream.of(rows).mapToDouble(i -> scored.get(i).score()).toArray();
    boolean[] positive = new boolean[rows.length];
    for (int i = 0; i < rows.length; i++) {
      positive[i] = scored.get(rows[i]).positive();
    }
    return Auc.of(scores, positive);
  }
}
