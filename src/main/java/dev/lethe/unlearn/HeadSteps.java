package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.train.RowEdits;
import java.util.Locale;

/**
 * How many steps of a training to retrain before the replay. Retraining a step costs the gradients of its retained
 * rows, replaying one those of its changed rows.
 */
final class HeadSteps {
  private HeadSteps() {}

  static int of(Recording recording, RowEdits edits, ReplayOptions options) {
    int steps = recording.log().steps();
    return Double.isNaN(options.budget())
        ? (int) Math.round(options.exactHead() * steps)
        : affordable(recording, edits, options.budget());
  }

  /** The longest head that a budget of so many retrainings allows. */
  private static int affordable(Recording recording, RowEdits edits, double budget) {
    double retraining = recording.retraining(edits);
    double cost = 0;
    for (int k = 0; k < recording.log().steps(); k++) {
      cost += recording.changed(k, edits) / retraining;
    }
    if (cost > budget) {
      throw new LetheException(
          "--budget " + budget,
          "the replay alone takes the gradients of the changed rows in every epoch",
          String.format(Locale.ROOT, "at least %.4f retrainings", cost),
          String.valueOf(budget),
          "Allow that much, or use --method influence.");
    }
    int head = 0;
    while (head < recording.log().steps()) {
      double next =
          (recording.retained(head, edits) - recording.changed(head, edits)) / retraining;
      if (cost + next > budget) {
        break;
      }
      cost += next;
      head++;
    }
    return head;
  }
}
