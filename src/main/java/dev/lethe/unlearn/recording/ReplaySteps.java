package dev.lethe.unlearn.recording;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.replay.MeasuredReplay;
import dev.lethe.train.RowEdits;
import java.util.Set;

/**
 * At how many steps of a training the model runs, besides for the changed rows: a head that is retrained before the
 * replay, and steps that are measured. Retraining or measuring a step costs the gradients of its retained rows, replaying
 * one those of its changed rows.
 *
 * @param head steps to retrain first
 * @param measured steps to measure, less those that fall into the head
 */
public record ReplaySteps(int head, int measured) {
  public static ReplaySteps of(Recording recording, RowEdits edits, ReplayOptions options) {
    int steps = recording.log().steps();
    int measured = options.measuredSteps(steps, recording.retraining(edits));
    return Double.isNaN(options.budget())
        ? new ReplaySteps((int) Math.round(options.exactHead() * steps), measured)
        : affordable(recording, edits, options.budget(), measured);
  }

  /** What a budget of so many retrainings allows: changed rows, then measured steps, then a head. */
  private static ReplaySteps affordable(
      Recording recording, RowEdits edits, double budget, int wanted) {
    long room = (long) Math.floor(budget * recording.retraining(edits) + 1e-9);
    for (int k = 0; k < recording.log().steps(); k++) {
      room -= recording.changed(k, edits);
    }
    if (room < 0) {
      throw tooLittle(recording, edits, budget);
    }
    int measured = wanted;
    while (measuring(recording, edits, measured) > room) {
      measured--;
    }
    room -= measuring(recording, edits, measured);
    return new ReplaySteps(head(recording, edits, measured, room), measured);
  }

  private static int head(Recording recording, RowEdits edits, int measured, long room) {
    Set<Integer> measuredSteps = measuredSteps(recording, edits, measured);
    long left = room;
    int head = 0;
    while (head < recording.log().steps()) {
      long saved = measuredSteps.contains(head) ? recording.retained(head, edits) : 0;
      left -= recording.retained(head, edits) - recording.changed(head, edits) - saved;
      if (left < 0) {
        break;
      }
      head++;
    }
    return head;
  }

  /** Row gradients that so many measured steps take without a head. */
  private static long measuring(Recording recording, RowEdits edits, int measured) {
    return measuredSteps(recording, edits, measured).stream()
        .mapToLong(k -> recording.retained(k, edits))
        .sum();
  }

  /** Nothing has changed up to the first step that reads a changed row, and nothing is measured there. */
  private static Set<Integer> measuredSteps(Recording recording, RowEdits edits, int measured) {
    Set<Integer> steps = MeasuredReplay.stepsToMeasure(recording.log().steps(), measured);
    int first = recording.firstTouched(edits);
    steps.removeIf(k -> k <= first);
    return steps;
  }

  private static LetheException tooLittle(Recording recording, RowEdits edits, double budget) {
    long changed = 0;
    for (int k = 0; k < recording.log().steps(); k++) {
      changed += recording.changed(k, edits);
    }
    double least = Math.ceil(1e4 * changed / recording.retraining(edits)) / 1e4;
    return new LetheException(
        "--budget " + budget,
        "the replay alone takes the gradients of the changed rows in every epoch",
        Text.format("at least %.4f retrainings", least),
        String.valueOf(budget),
        "Allow that much, or use --method influence.");
  }
}
