package dev.lethe.trajectory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.ParameterLayout.Parameter;
import dev.lethe.tensor.DType;
import dev.lethe.train.Divisor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.RowEdits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Trajectories that do not belong here, are damaged, or were written by another program. */
class TrajectoryRefusalsTest {
  @TempDir Path dir;
  private TrainedTiny place;
  private AdaptedModel model;
  private Path adapter;
  private int copies;

  @BeforeEach
  void open() {
    place = new TrainedTiny(dir, "reference");
    model = place.fresh();
    RowEdits edits = new RowEdits(Set.of("4"), Map.of(), Divisor.KEEP);
    adapter = place.train(model, "adapter", TrainedTiny.OPTIONS, edits, DType.F32);
  }

  @AfterEach
  void close() {
    place.close();
  }

  @Test
  void fieldsOfTheHeader() {
    refused(json -> json.put("format", "lethe-trajectory/2"), "trajectory.json", "another version");
    refused(json -> json.remove("row_key"), "lacks fields", "'row_key'", "docs/trajectory.md");
    refused(
        json -> json.remove(List.of("layout", "prompt_form")), "'prompt_form', 'layout'");
    refused(json -> json.put("loss_scale", 2), "does not know", "'loss_scale'");
    refused(json -> json.put("dtype", "int8"), "dtype", "bf16 or f32", "int8");
    refused(json -> json.put("row_key", "secret"), "'row_key' is no key");
    refused(json -> json.put("model_sha256", "0"), "belongs to another model", "expected SHA-256 0");
    refused(json -> json.put("adapter_sha256", "0"), "belongs to another adapter;");
    refused(json -> json.put("adapter_config_sha256", "0"), "another adapter configuration");
    refused(json -> json.put("steps", 8), "steps.jsonl", "cut off", "8 steps", "9 steps");
    refused(
        json -> ((ObjectNode) json.get("layout").get(0)).put("offset", 3), "layout", "without gaps");
    refused(
        json -> ((ArrayNode) json.get("layout")).remove(0), "layout", "lora_A", "no such matrix");
  }

  @Test
  void filesThatWereCutOffOrChanged() {
    cut(TrajectoryFiles.GRADIENTS, "gradients.bin", "cut off", "8 whole steps", "Copy the whole");
    cut(TrajectoryFiles.STEPS, "steps.jsonl:9");
    cut(TrajectoryFiles.INITIAL, "initial.safetensors");
    steps(lines -> lines.replaceFirst("\\[\\d+,", "[11,"), "steps.jsonl:1", "0 … 10");
    steps(lines -> lines.replaceFirst("\\[\\d+,", "[-1,"), "steps.jsonl:1", "0 … 10");
    steps(lines -> lines.replaceFirst("rate", "lr"), "steps.jsonl:1", "'lr'");
    steps(lines -> lines.replaceFirst("\"weights\":\\[", "\"weights\":[0.25,"), "one weight a row");
    steps(lines -> lines.replaceFirst("\\}", ",\"parts\":[2,5]}"), "1 … ");
    steps(lines -> lines.replaceFirst("\\}", ",\"parts\":[2,1]}"), "do not cut");
    text(TrajectoryFiles.ROWS, t -> t.replace("\"id\":\"3\"", "\"id\":\"2\""), "same id", "'2'");
    text(TrajectoryFiles.ROWS, t -> t.replace("\"id\":\"3\",", ""), "rows.jsonl:4", "'id'");
  }

  @Test
  void anAdapterWithoutATrajectory() {
    assertTrue(Trajectory.exists(adapter));
    Path none = dir.resolve("none");
    says(Refusals.of(() -> Trajectory.open(none, model)), "no trajectory", "--trajectory on");
  }

  @Test
  void rowsThatAreNotThoseOfTheTraining() {
    try (Trajectory log = Trajectory.open(adapter, model)) {
      List<Sample> data = new ArrayList<>(place.rows);
      Sample gone = data.remove(4);
      assertEquals(gone, place.rows.get(4));
      assertEquals(11, log.requireMatches(data, "qa").size(), "equal tokens are equal rows");
      rows(log, place.rows, "removed from this adapter's training before", "'4'");
      rows(log, data.subList(1, 10), "the data lack rows", "'0'");
      Sample stranger = new Sample("x", gone.inputIds(), gone.labels(), "");
      List<Sample> more = new ArrayList<>(data);
      more.add(stranger);
      rows(log, more, "was not trained on", "'x'");
      List<Sample> changed = new ArrayList<>(data);
      changed.set(0, new Sample("0", gone.inputIds(), gone.labels(), ""));
      rows(log, changed, "rows have changed since the training", "'0'", "--replace");
      says(
          Refusals.of(() -> log.requireMatches(changed, "alpaca")),
          "1 of 10 rows", "prompt form automatic", "got alpaca", "--template");
      log.requireNotRemoved(List.of("0", "1"));
      says(Refusals.of(() -> log.requireNotRemoved(List.of("0", "4"))), "'4'", "before");
    }
  }

  /** Another program's order of parameters and its fewer options. */
  @Test
  void aForeignTrajectoryIsReadInTheModelsOrder() throws IOException {
    Path foreign = foreign(json -> {});
    try (Trajectory own = Trajectory.open(adapter, model);
        Trajectory other = Trajectory.open(foreign, model)) {
      assertEquals("peft", other.provenance().trainedBy());
      assertEquals(OptimizerKind.ADAMW, other.options().optimizer());
      assertEquals(0.02, other.options().weightDecay());
      assertArrayEquals(own.initial().toDoubles(), other.initial().toDoubles());
      for (int k = 0; k < own.steps(); k++) {
        assertArrayEquals(own.gradient(k).toDoubles(), other.gradient(k).toDoubles());
      }
    }
    Path poor =
        foreign(json -> ((ObjectNode) json.get("options")).remove("epsilon"));
    says(Refusals.of(() -> Trajectory.open(poor, model)), "'options'", "'epsilon'");
    Path rich = foreign(json -> ((ObjectNode) json.get("options")).put("amsgrad", true));
    says(Refusals.of(() -> Trajectory.open(rich, model)), "does not know", "'amsgrad'");
  }

  /** The adapter's trajectory as if another program had written it, matrices in reverse order. */
  private Path foreign(Consumer<ObjectNode> change) throws IOException {
    Path copy = place.copy(adapter, "copy" + copies++);
    Path folder = TrajectoryFiles.folder(copy);
    List<Parameter> order = new ArrayList<>(model.layout().parameters()).reversed();
    ObjectNode json = StrictJson.readObject(folder.resolve(TrajectoryFiles.HEADER), 1 << 20);
    json.put("trained_by", "peft");
    json.remove(List.of("data_sha256", "edits", "chain"));
    ObjectNode options = json.putObject("options").put("optimizer", "adamw");
    options.put("beta1", 0.9).put("beta2", 0.999).put("epsilon", 1e-8);
    options.put("weight_decay", 0.02).put("clip", 0.5);
    ArrayNode layout = json.putArray("layout");
    long at = 0;
    for (Parameter p : order) {
      ObjectNode entry = layout.addObject().put("name", p.name()).put("offset", at);
      entry.putArray("shape").add(p.shape().dim(0)).add(p.shape().dim(1));
      at += p.shape().elements();
    }
    change.accept(json);
    Files.writeString(folder.resolve(TrajectoryFiles.HEADER), json.toString());
    Path file = folder.resolve(TrajectoryFiles.GRADIENTS);
    Files.write(file, reordered(Files.readAllBytes(file), order));
    return copy;
  }

  private byte[] reordered(byte[] bytes, List<Parameter> order) {
    ByteBuffer from = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer to = ByteBuffer.allocate(bytes.length).order(ByteOrder.LITTLE_ENDIAN);
    int row = Math.toIntExact(model.layout().size() * 4);
    for (int start = 0; start < bytes.length; start += row) {
      for (Parameter p : order) {
        for (long i = 0; i < p.shape().elements(); i++) {
          to.putFloat(from.getFloat((int) (start + 4 * (p.offset() + i))));
        }
      }
    }
    return to.array();
  }

  private void refused(Consumer<ObjectNode> change, String... words) {
    text(
        TrajectoryFiles.HEADER,
        t -> {
          ObjectNode json = (ObjectNode) StrictJson.parse(t, "test");
          change.accept(json);
          return json.toString();
        },
        words);
  }

  private void steps(UnaryOperator<String> change, String... words) {
    text(TrajectoryFiles.STEPS, change, words);
  }

  private void text(String file, UnaryOperator<String> change, String... words) {
    Path copy = place.copy(adapter, "copy" + copies++);
    Path path = TrajectoryFiles.folder(copy).resolve(file);
    try {
      String before = Files.readString(path);
      String after = change.apply(before);
      assertTrue(!before.equals(after), "nothing changed in " + file);
      Files.writeString(path, after);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    says(Refusals.of(() -> Trajectory.open(copy, model)), words);
  }

  private void cut(String file, String... words) {
    Path copy = place.copy(adapter, "copy" + copies++);
    Path path = TrajectoryFiles.folder(copy).resolve(file);
    try {
      byte[] bytes = Files.readAllBytes(path);
      Files.write(path, Arrays.copyOf(bytes, bytes.length - 3));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    says(Refusals.of(() -> Trajectory.open(copy, model)), words);
  }

  private static void rows(Trajectory log, List<Sample> data, String... words) {
    says(Refusals.of(() -> log.requireMatches(data, TrainedTiny.FORM)), words);
  }

  private static void says(String message, String... words) {
    for (String word : words) {
      assertTrue(message.contains(word), word + " in: " + message);
    }
  }
}
