package dev.lethe.train;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/**
 * Checkpoints of one run: folders {@code step-00000012} that appear whole or not at all; only the
 * newest is kept. Each says what it depends on, and is refused by any other run.
 */
final class Checkpoints {
  private static final Pattern NAME = Pattern.compile("step-\\d{8,}");
  private static final String JSON = "checkpoint.json";
  private static final String TENSORS = "state.safetensors";
  private static final String IDENTITY = "identity";
  private static final long MAX_BYTES = 1 << 20;

  private final Path dir;
  private final Map<String, String> identity;

  /**
   * @param dir the run's folder for checkpoints, which may be absent
   * @param identity what the bytes of the run depend on, by name
   */
  Checkpoints(Path dir, Map<String, String> identity) {
    this.dir = dir;
    this.identity = identity;
  }

  /** Refuses a folder that holds another run's checkpoints. */
  void requireNone() {
    List<Path> found = all();
    if (!found.isEmpty()) {
      throw new LetheException(
          dir.toString(), "holds checkpoints of an earlier run", "none",
          found.getLast().getFileName().toString(),
          "Resume that run, or choose another folder.");
    }
  }

  /** Writes a checkpoint and removes older ones. */
  void save(TrainingState state) {
    List<Path> older = all();
    Path target = dir.resolve(Text.format("step-%08d", state.step));
    if (older.contains(target)) {
      return;
    }
    try (OutputFolder out = OutputFolder.create(target)) {
      SafeTensors.write(out.path().resolve(TENSORS), state.toHost(), Map.of());
      AtomicFiles.writeText(out.path().resolve(JSON), StrictJson.write(describe(state)));
      out.commit();
    }
    older.forEach(this::remove);
  }

  private ObjectNode describe(TrainingState state) {
    ObjectNode json = StrictJson.newObject();
    json.put("step", state.step).put("updates", state.updates);
    json.put("learning_rate_sum", state.learningRateSum);
    if (Double.isFinite(state.lastLoss)) {
      json.put("last_loss", state.lastLoss);
    }
    ObjectNode parts = json.putObject(IDENTITY);
    identity.forEach(parts::put);
    return json;
  }

  /** Restores the newest checkpoint. */
  void restore(TrainingState state) {
    List<Path> found = all();
    if (found.isEmpty()) {
      throw new LetheException(
          dir.toString(), "there is nothing to resume", "a folder such as step-00000100", "none",
          "Start the run without resuming.");
    }
    Path newest = found.getLast();
    Path json = newest.resolve(JSON);
    JsonFields f = new JsonFields(StrictJson.readObject(json, MAX_BYTES), json.toString());
    requireSameRun(f);
    try (SafeTensors file = SafeTensors.open(newest.resolve(TENSORS))) {
      Map<String, Tensor> named = new LinkedHashMap<>();
      file.names().forEach(name -> named.put(name, file.get(name)));
      state.fromHost(named, file.path().toString());
    }
    state.step = f.integer("step", 0, Long.MAX_VALUE);
    state.updates = f.integerOr("updates", state.step, 0, state.step);
    state.learningRateSum = TrainOptions.number(f, "learning_rate_sum");
    state.lastLoss = f.numberOr("last_loss", Double.NaN, 0, Double.MAX_VALUE);
  }

  private void requireSameRun(JsonFields f) {
    f.required(IDENTITY);
    JsonFields stored = f.objectOrNull(IDENTITY);
    identity.forEach(
        (what, expected) -> {
          String got = stored.stringOr(what, "none");
          if (!got.equals(expected)) {
            throw new LetheException(
                f.where(), "the checkpoint belongs to another run: its " + what + " differs",
                expected, got,
                "Resume with the same " + what + ", or start anew in another folder.");
          }
        });
  }

  private List<Path> all() {
    if (!Files.isDirectory(dir)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(dir)) {
      return entries
          .filter(path -> NAME.matcher(path.getFileName().toString()).matches())
          .sorted((a, b) -> Long.compare(stepOf(a), stepOf(b)))
          .toList();
    } catch (IOException e) {
      throw unusable(dir, "cannot be listed", e);
    }
  }

  private static long stepOf(Path checkpoint) {
    return Long.parseLong(checkpoint.getFileName().toString().substring("step-".length()));
  }

  private void remove(Path checkpoint) {
    try {
      Files.deleteIfExists(checkpoint.resolve(JSON));
      Files.deleteIfExists(checkpoint.resolve(TENSORS));
      Files.delete(checkpoint);
    } catch (IOException e) {
      throw unusable(checkpoint, "an older checkpoint cannot be removed", e);
    }
  }

  private static FormatException unusable(Path path, String problem, IOException e) {
    return new FormatException(
        FormatException.Kind.UNREADABLE, path.toString(), problem, null, e.toString(),
        "Check the folder's permissions and contents.", e);
  }
}
