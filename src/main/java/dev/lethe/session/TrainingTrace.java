package dev.lethe.session;

import dev.lethe.format.Sha256;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.train.RowEdits;
import dev.lethe.train.SavedStates;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingRecord;
import dev.lethe.train.TrainingSink;
import dev.lethe.trajectory.Provenance;
import dev.lethe.trajectory.RowHashes;
import dev.lethe.trajectory.TrajectorySink;
import dev.lethe.trajectory.TrajectoryWriter;
import java.nio.file.Path;
import java.util.List;

/**
 * What a training leaves of its way: its trajectory, or a few states of it, or nothing.
 *
 * @param trajectory null for none
 * @param states null for none
 */
public record TrainingTrace(TrajectoryWriter trajectory, SavedStates states) implements AutoCloseable {
  static TrainingTrace none() {
    return new TrainingTrace(null, null);
  }

  static TrainingTrace of(TrajectoryWriter trajectory) {
    return new TrainingTrace(trajectory, null);
  }

  static TrainingTrace of(SavedStates states) {
    return new TrainingTrace(null, states);
  }

  public TrainingSink sink() {
    if (trajectory != null) {
      return new TrajectorySink(trajectory);
    }
    return states != null ? states : TrainingSink.NONE;
  }

  /** Puts it into the folder of the trained adapter, which lies there already. */
  public void finish(
      Path dir,
      AdaptedModel model,
      TrainingPlan plan,
      RowEdits edits,
      TrainingRecord record,
      String promptForm) {
    if (states != null) {
      states.finish(dir);
    }
    if (trajectory == null) {
      return;
    }
    String config = model.adapter().config().raw().toString();
    String seed = Long.toString(record.seed());
    String key = RowHashes.key(record.modelSha256(), config, seed);
    trajectory.finish(
        dir,
        new Provenance(
            record.options(), promptForm, record.modelSha256(), record.dataSha256(), key,
            Provenance.LETHE, record.edits(), List.of()),
        RowHashes.of(key, plan.rows(), edits));
  }

  @Override
  public void close() {
    if (trajectory != null) {
      trajectory.close();
    }
  }
}
