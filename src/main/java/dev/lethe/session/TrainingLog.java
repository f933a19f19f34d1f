package dev.lethe.session;

import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.train.StepLog;
import dev.lethe.train.TrainMonitor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/**
 * The log of a training's steps, JSON Lines, one object a step. It is kept through interruptions. Its times are the
 * only numbers that a training leaves which differ from run to run; they come last in each line.
 */
final class TrainingLog implements TrainMonitor {
  /** Name of the log in an adapter's folder. */
  static final String FILE = "lethe_log.jsonl";

  private static final double DIGITS = 1e6;

  private final Path state;
  private final TrainMonitor next;
  private final List<String> lines = new ArrayList<>();

  /**
   * @param state folder of the run's state
   * @param next told of everything, too
   */
  TrainingLog(Path state, TrainMonitor next) {
    this.state = state;
    this.next = next;
  }

  @Override
  public void onStep(StepLog log) {
    if (lines.isEmpty()) {
      lines.addAll(earlier(log.step()));
    }
    ObjectNode line = StrictJson.newObject().put("step", log.step()).put("epoch", log.epoch());
    line.put("loss", log.loss());
    line.put("gradient_norm", log.gradientNorm()).put("learning_rate", log.learningRate());
    line.put("seconds", Math.rint(log.seconds() * DIGITS) / DIGITS);
    line.put("tokens_per_second", Math.rint(log.tokensPerSecond()));
    lines.add(StrictJson.line(line));
    next.onStep(log);
  }

  @Override
  public void beforeCheckpoint() {
    write(state);
    next.beforeCheckpoint();
  }

  @Override
  public boolean interrupted() {
    return next.interrupted();
  }

  /** Writes the log of the whole run so far into a folder. */
  void write(Path dir) {
    AtomicFiles.writeText(dir.resolve(FILE), String.join("\n", lines) + "\n");
  }

  /** What an earlier run logged before the step that this one begins with. */
  private List<String> earlier(long firstStep) {
    Path file = state.resolve(FILE);
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
