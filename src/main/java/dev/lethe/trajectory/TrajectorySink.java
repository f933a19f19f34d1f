package dev.lethe.trajectory;

import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingSink;

/** Writes the trajectory of a training run as it goes. */
public record TrajectorySink(TrajectoryWriter writer) implements TrainingSink {
  @Override
  public void begin(long updates, Tensor theta) {
    writer.begin(Math.toIntExact(updates), theta);
  }

  @Override
  public void onGradient(TrainingPlan.Step step, Tensor gradient) {
    LoggedStep logged = new LoggedStep(step.rate(), step.rows(), step.weights());
    writer.append(logged, step.partEnds(), gradient);
  }

  @Override
  public void beforeCheckpoint() {
    writer.force();
  }
}
