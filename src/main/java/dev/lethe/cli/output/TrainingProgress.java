package dev.lethe.cli.output;

import dev.lethe.Text;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.format.StrictJson;
import dev.lethe.train.StepLog;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.TrainingRecord;
import tools.jackson.databind.node.ObjectNode;

/** Follows a training run: progress, and the user's wish to stop. */
public final class TrainingProgress implements TrainMonitor, AutoCloseable {
  private static final int FORWARD_AND_BACKWARD = 2;

  private final LetheCommand command;
  private final Progress.Task task;
  private final long start = System.nanoTime();

  public TrainingProgress(LetheCommand command, TrainOptions options, int rows) {
    this.command = command;
    double rowsOfStep = Math.min(rows, (double) options.batchSize() * options.accumulation());
    this.task =
        command.progress().start("train", options.totalSteps(rows), "steps", FORWARD_AND_BACKWARD * rowsOfStep);
  }

  @Override
  public void onStep(StepLog log) {
    task.done(
        log.step(), Text.format("loss %.4f  %,.0f tokens/s", log.loss(), log.tokensPerSecond()));
  }

  @Override
  public boolean interrupted() {
    return command.console.interrupt().requested();
  }

  public ObjectNode summary(TrainingRecord record) {
    ObjectNode json = StrictJson.newObject().put("rows", record.n()).put("steps", record.steps());
    json.put("final_loss", record.finalLoss());
    return json.put("seconds", (System.nanoTime() - start) / 1e9);
  }

  @Override
  public void close() {
    task.close();
  }
}
