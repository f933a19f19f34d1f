package dev.lethe.assess;

import dev.lethe.Text;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.record.AssessmentText;
import dev.lethe.assess.record.Section;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The result in sentences that need no table. */
final class Headline {
  private static final double SURE = 0.05;

  private Headline() {}

  static List<String> of(Map<String, Section> sections) {
    List<String> sentences = new ArrayList<>();
    Section predictions = sections.get("distance_kl");
    for (Section.Line line : predictions.lines()) {
      if (!line.name().equals(RowGroup.HELD_OUT)) {
        sentences.add(closed(line.name(), predictions.at(line.name(), DistanceSections.CLOSED)));
      }
    }
    sentences.add(nearer(sections.get("nearer_to_retrained")));
    Section attacks = sections.get("attacks");
    Estimate leak = attacks.at(AttackSection.PRIV_LEAK, Role.UNLEARNED.label());
    if (leak.exists()) {
      sentences.add(
          Text.format(
              "An attack by Min-K that tells the forgotten rows from strangers with AUC %s in the original does so with %s"
                  + " after unlearning and %s after retraining.",
              auc(attacks, Role.ORIGINAL), auc(attacks, Role.UNLEARNED), auc(attacks, Role.RETRAINED)));
    }
    return sentences;
  }

  private static String closed(String group, Estimate closed) {
    if (!closed.exists()) {
      return Text.format("On %s rows nothing was to be closed: %s.", group, closed.note());
    }
    String interval =
        closed.hasInterval()
            ? Text.format(" (95 %% interval over rows: %.0f to %.0f)", 100 * closed.low(), 100 * closed.high())
            : " (too few rows for an interval)";
    String worse = closed.value() < 0 ? ": it is farther from retraining than before" : "";
    return Text.format(
        "On %s rows %.0f %% of the distance to retraining is closed%s%s.", group, 100 * closed.value(), interval, worse);
  }

  private static String nearer(Section test) {
    double difference = test.at(RowGroup.FORGOTTEN, "difference").value();
    double p = test.at(RowGroup.FORGOTTEN, "p").value();
    String what =
        p <= SURE
            ? "the unlearned adapter is nearer to the retrained than to the original"
            : difference > 0
                ? "the unlearned adapter seems nearer to the retrained than to the original, which may be chance"
                : "the unlearned adapter is not nearer to the retrained than to the original";
    return Text.format(
        "On forgotten rows %s (p %s).",
        what, p < 0.001 ? "< 0.001" : "= " + AssessmentText.digits(p));
  }

  private static String auc(Section attacks, Role role) {
    return AssessmentText.digits(attacks.at(Attacks.MIN_K, role.label()).value());
  }
}
