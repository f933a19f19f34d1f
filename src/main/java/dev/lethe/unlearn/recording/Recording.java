package dev.lethe.unlearn.recording;

import dev.lethe.data.Sample;
import dev.lethe.replay.ReplayRequest;
import dev.lethe.replay.RowChange;
import dev.lethe.train.LossMean;
import dev.lethe.train.RowEdits;
import dev.lethe.train.TrainingPlan;
import dev.lethe.trajectory.LoggedStep;
import dev.lethe.trajectory.TrainingLog;
import dev.lethe.trajectory.Trajectory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The log of a training and the rows that it names.
 *
 * @param rows by their places in the log; null for rows that earlier requests removed
 * @param plan the steps of the training, for retraining
 */
public record Recording(TrainingLog log, List<Sample> rows, TrainingPlan plan) {
  /**
   * The recording of an adapter's trajectory.
   *
   * @param data the rows that the adapter still rests on, in any order
   * @param promptForm how they became tokens, in words
   */
  public static Recording of(Trajectory trajectory, List<Sample> data, String promptForm) {
    List<Sample> rows = trajectory.requireMatches(data, promptForm);
    return new Recording(trajectory, rows, trajectory.plan(rows));
  }

  /** A request by the places of its rows. */
  public ReplayRequest request(RowEdits edits) {
    Map<Integer, RowChange> changes = new HashMap<>();
    for (int place = 0; place < rows.size(); place++) {
      Sample row = rows.get(place);
      Sample read = row == null ? null : edits.apply(row);
      if (row != null && row != read) {
        changes.put(place, RowChange.of(row, read));
      }
    }
    return new ReplayRequest(changes, edits.divisor());
  }

  /** Row gradients of one step that a training under the edits takes. */
  public long retained(int step, RowEdits edits) {
    return count(log.step(step), edits, true);
  }

  /** Row gradients of one step that the replay of the edits takes: old rows, and new ones in their places. */
  long changed(int step, RowEdits edits) {
    return count(log.step(step), edits, false);
  }

  /** Row gradients that a training under the edits takes. */
  public long retraining(RowEdits edits) {
    long sum = 0;
    for (int k = 0; k < log.steps(); k++) {
      sum += retained(k, edits);
    }
    return sum;
  }

  private long count(LoggedStep step, RowEdits edits, boolean retained) {
    long count = 0;
    for (int i = 0; i < step.rows().length; i++) {
      Sample row = rows.get(step.rows()[i]);
      if (row == null || step.weights()[i] == 0) {
        continue;
      }
      Sample read = edits.apply(row);
      if (retained) {
        count += read == null ? 0 : 1;
      } else if (read != row) {
        count += read == null ? 1 : 2;
      }
    }
    return count;
  }

  /** The first step that reads a row that the edits change; the number of steps where there is none. */
  public int firstTouched(RowEdits edits) {
    for (int k = 0; k < log.steps(); k++) {
      if (changed(k, edits) > 0) {
        return k;
      }
    }
    return log.steps();
  }

  /** What a certificate says of the training besides: over what its losses were means, where not over rows. */
  public Map<String, String> settings() {
    LossMean mean = log.options().lossMean();
    return mean == LossMean.ROWS ? Map.of() : Map.of("loss mean", mean.label());
  }
}
