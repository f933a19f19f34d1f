package dev.lethe.unlearn.result;

import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.prepare.PreparedOperators;
import dev.lethe.trajectory.TrainingLog;
import dev.lethe.trajectory.Trajectory;
import java.nio.file.Path;

/** What of prepared operators does not come from the changed rows, for the new folder; its trajectory lies there. */
public final class SuccessorOperators implements FolderPart {
  private final Path prepared;
  private final TrainingLog before;
  private final AdaptedModel model;

  /**
   * @param prepared the folder of the operators
   * @param before the trajectory that they belong to
   */
  public SuccessorOperators(Path prepared, TrainingLog before, AdaptedModel model) {
    this.prepared = prepared;
    this.before = before;
    this.model = model;
  }

  @Override
  public void writeInto(Path dir) {
    try (Trajectory after = Trajectory.open(dir, model)) {
      PreparedOperators.writeWithout(
          prepared, PreparedOperators.folder(dir), before, after, model);
    }
  }
}
