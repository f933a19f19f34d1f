package dev.lethe.assess;

import dev.lethe.assess.metric.Bootstrap;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.metric.Exposure;
import dev.lethe.assess.record.Curve;
import dev.lethe.assess.record.Section;
import dev.lethe.assess.record.Section.Line;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Whether attacks can tell that the forgotten rows were trained on. */
final class AttackSection {
  static final String PRIV_LEAK = "PrivLeak, %";

  private static final String TITLE = "Can it be told that the rows were trained on?";
  private static final String MEANING =
      "AUC of membership attacks, forgotten against held-out rows: 0.5 is chance, 1 is certain. The aim is the retrained"
          + " adapter's value. PrivLeak: 0 is ideal, below 0 the rows still show, above 0 they are hidden more than"
          + " retraining hides them, which shows too.";

  private final Subjects subjects;
  private final Bootstrap bootstrap;
  private final List<Curve> curves = new ArrayList<>();

  AttackSection(Subjects subjects, Bootstrap bootstrap) {
    this.subjects = subjects;
    this.bootstrap = bootstrap;
  }

  /** Where there is nothing to compare with. */
  static Section refused() {
    return new Section(
        "attacks", TITLE, MEANING, List.of(), List.of(),
        List.of(
            "Not measured: the attacks (loss, zlib, min-k, min-k++, reference, gradient norm) and PrivLeak need"
                + " --held-out FILE, rows like the forgotten ones that no adapter was trained on."));
  }

  Section of(Reading forgotten, Reading heldOut, Attacks attacks, AssessmentMonitor monitor) {
    int rows = forgotten.group().samples().size() + heldOut.group().samples().size();
    monitor.phase("attacks", rows * subjects.first().size());
    List<Map<String, double[]>> members = new ArrayList<>();
    List<Map<String, double[]>> others = new ArrayList<>();
    for (Subject subject : subjects.first()) {
      members.add(attacks.scores(forgotten, subject));
      others.add(attacks.scores(heldOut, subject));
      monitor.done(rows * members.size());
    }
    List<Line> lines = new ArrayList<>();
    for (String attack : members.getFirst().keySet()) {
      List<Estimate> cells = new ArrayList<>();
      for (int s = 0; s < members.size(); s++) {
        cells.add(Exposure.auc(members.get(s).get(attack), others.get(s).get(attack), bootstrap));
      }
      lines.add(new Line(attack, cells, note(cells)));
    }
    lines.add(privLeak(members, others));
    for (int s = 0; s < members.size(); s++) {
      curves.add(
          Curve.of(MemorySections.ROLES.get(s), members.get(s).get(Attacks.MIN_K), others.get(s).get(Attacks.MIN_K)));
    }
    return new Section("attacks", TITLE, MEANING, MemorySections.ROLES, lines, List.of());
  }

  /** The ROC curve of Min-K for each adapter. */
  List<Curve> curves() {
    return List.copyOf(curves);
  }

  private Line privLeak(List<Map<String, double[]>> members, List<Map<String, double[]>> others) {
    List<Estimate> cells = new ArrayList<>();
    for (int s = 0; s < members.size(); s++) {
      cells.add(
          Exposure.privLeak(
              members.get(s).get(Attacks.MIN_K), others.get(s).get(Attacks.MIN_K),
              members.getLast().get(Attacks.MIN_K), others.getLast().get(Attacks.MIN_K), bootstrap));
    }
    return new Line(PRIV_LEAK, cells, cells.get(1).note());
  }

  private static String note(List<Estimate> cells) {
    Estimate original = cells.get(0);
    double aim = cells.get(2).value();
    if (original.hasInterval() && original.low() <= aim && aim <= original.high()) {
      return "finds no more in the original than in the retrained adapter: says nothing about forgetting";
    }
    return cells.get(1).note();
  }
}
