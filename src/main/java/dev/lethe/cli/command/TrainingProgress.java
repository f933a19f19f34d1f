package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.format.StrictJson;
import dev.lethe.train.StepLog;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainingRecord;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/** Follows a training run: progress, the log of its steps, and the user's wish to stop. */
final class TrainingProgress implements TrainMonitor, AutoCloseable {
  /** Name of the log in an adapter's folder: JSON Lines, one object a step. */
  static final String LOG = "lethe_log.jsonl";

  private final LetheCommand command;
  private final Path state;
  private final Progress.Task task;
  private final List<String> lines = new ArrayList<>();
  private final long start = System.nanoTime();

  TrainingProgress(LetheCommand command, Path state, long totalSteps) {
    this.command = command;
    this.state = state;
    this.task = command.progress().start("train", totalSteps, "steps");
  }

  /** Whether the state folder holds a checkpoint, and not only a log. */
  boolean hasCheckpoint() {
    if (!Files.isDirectory(state)) {
      return false;
    }
    try (Stream<Path> entries = Files.list(state)) {
      return entries.anyMatch(entry -> entry.getFileName().toString().startsWith("step-"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void onStep(StepLog log) {
    if (lines.isEmpty()) {
      lines.addAll(earlier(log.step()));
    }
    ObjectNode line = StrictJson.newObject().put("step", log.step()).put("epoch", log.epoch());
    line.put("loss", log.loss());
    line.put("gradient_norm", log.gradientNorm()).put("learning_rate", log.learningRate());
    lines.add(StrictJson.line(line));
    String note = Text.format("loss %.4f  %,.0f tokens/s", log.loss(), log.tokensPerSecond());
    task.done(log.step(), Text.format(note));
  }

  @Override
  public void beforeCheckpoint() {
    JsonLines.write(state.resolve(LOG), lines);
  }

  @Override
  public boolean interrupted() {
    return command.console.interrupt().requested();
  }

  /** The log of a whole run, into its adapter's folder. */
  void writeLog(Path dir) {
    JsonLines.write(dir.resolve(LOG), lines);
  }

  ObjectNode summary(TrainingRecord record) {
    ObjectNode json = StrictJson.newObject().put("rows", record.n()).put("steps", record.steps());
    json.put("final_loss", record.finalLoss());
    return json.put("seconds", (System.nanoTime() - start) / 1e9);
  }

  @Override
  public void close() {
    task.close();
  }

  /** What an earlier session logged before the step that this one begins with. */
  private List<String> earlier(long firstStep) {
    Path file = state.resolve(LOG);
    if (firstStep == 1 || !Files.exists(file)) {
      return List.of();
    }
    try (Stream<String> before = Files.lines(file)) {
      return before.limit(firstStep - 1).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
