package dev.lethe.unlearn.result;

import dev.lethe.backend.Backend;
import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import dev.lethe.replay.ChangedLog;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.RowEdits;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingRecord;
import dev.lethe.train.TrainingSink;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import dev.lethe.trajectory.RowHashes;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.trajectory.TrajectoryWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/** The trajectory of the new adapter, on which the next request builds; nothing of the removed rows is in it. */
public final class SuccessorTrajectory implements ChangedLog, TrainingSink, FolderPart, AutoCloseable {
  private final Trajectory old;
  private final List<Sample> rows;
  private final RowEdits edits;
  private final TrajectoryWriter writer;
  private boolean begun;

  /**
   * @param rows of the old trajectory by their places; null for removed ones
   */
  public SuccessorTrajectory(
      Trajectory old, List<Sample> rows, RowEdits edits, TrajectoryWriter writer) {
    this.old = old;
    this.rows = rows;
    this.edits = edits;
    this.writer = writer;
  }

  /** Starts where no training does, with the old trajectory's first steps, which the request does not change. */
  public void begin(int untouched, Backend backend) {
    begun = true;
    try (Scope scope = backend.openScope("trajectory")) {
      Tensor vector = scope.allocate(backend.vectorType(), old.initial().elements());
      backend.upload(old.initial(), vector);
      writer.begin(0, vector);
      for (int k = 0; k < untouched; k++) {
        backend.upload(old.gradient(k), vector);
        writer.append(old.step(k), old.partEnds(k), vector);
      }
    }
  }

  @Override
  public void begin(long updates, Tensor theta) {
    if (!begun) {
      writer.begin(Math.toIntExact(updates), theta);
    }
  }

  @Override
  public void beforeCheckpoint() {
    writer.force();
  }

  @Override
  public void accept(int k, LoggedStep step, Tensor gradient) {
    writer.append(step, old.partEnds(k), gradient);
  }

  @Override
  public void onGradient(TrainingPlan.Step step, Tensor gradient) {
    LoggedStep logged = new LoggedStep(step.rate(), step.rows(), step.weights());
    writer.append(logged, step.partEnds(), gradient);
  }

  @Override
  public void writeInto(Path dir) {
    List<LoggedRow> left = RowHashes.edited(old.provenance().rowKey(), old.rows(), edits);
    List<Sample> target = edits.target(rows.stream().filter(Objects::nonNull).toList());
    long removed = left.stream().filter(LoggedRow::removed).count();
    TrainingRecord.Edits before = old.provenance().edits();
    TrainingRecord.Edits all =
        new TrainingRecord.Edits(
            rows.size(), removed, before.replaced() + edits.replacements().size(), edits.divisor());
    writer.finish(
        dir,
        old.provenance()
            .after(
                RowKey.of(old.provenance().rowKey(), "row_key").of(TrainingRecord.dataSha256(target)),
                all,
                Sha256.ofBytes(dir.resolve(UnlearnResult.CERTIFICATE))),
        left);
  }

  @Override
  public void close() {
    writer.close();
  }
}
