package dev.lethe.fuzz;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Workplace;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.prepare.PreparedOperators;
import dev.lethe.session.Session;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.SavedStates;
import dev.lethe.train.TrainingRecord;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.unlearn.DampingRule;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.result.Checkpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that a training leaves in an adapter's folder, each in the place of the honest one. */
class FolderFuzzTest {
  @TempDir private static Path dir;
  private static Path adapter;
  private static Session session;
  private static AdaptedModel model;

  @BeforeAll
  static void train() {
    Workplace place = new Workplace(dir);
    adapter = place.adapter("adapter", "--trajectory", "on");
    session = Session.open(place.model, "reference");
    model = session.adapted(adapter);
  }

  @AfterAll
  static void close() {
    session.close();
  }

  @Test
  void headersOfTrajectories() throws IOException {
    inPlace("lethe_trajectory/trajectory.json", file -> readTrajectory());
  }

  @Test
  void stepsOfTrajectories() throws IOException {
    inPlace("lethe_trajectory/steps.jsonl", file -> readTrajectory());
  }

  @Test
  void rowsOfTrajectories() throws IOException {
    inPlace("lethe_trajectory/rows.jsonl", file -> readTrajectory());
  }

  @Test
  void trainingRecords() throws IOException {
    inPlace(
        "lethe_training.json",
        file -> {
          TrainingRecord.read(adapter);
          DampingRule.forAdapter(adapter).choose(null, null);
        });
  }

  @Test
  void savedStates() throws IOException {
    Path honest = Files.createDirectory(dir.resolve("states"));
    Files.copy(adapter.resolve("adapter_model.safetensors"), honest.resolve("adapter_model.safetensors"));
    SavedStates states = new SavedStates(dir.resolve("kept"), 8);
    states.begin(0, null);
    for (int step = 1; step <= 8; step++) {
      states.afterStep(step, () -> Map.of("parameters/a", Tensor.of(Shape.of(2), 1f, 2f)));
    }
    states.finish(honest);
    Path file = honest.resolve(SavedStates.FILE);
    Fuzz.mutations(
        dir.resolve("fuzzed"), List.of(Files.readAllBytes(file)),
        changed -> {
          Files.copy(changed, file, StandardCopyOption.REPLACE_EXISTING);
          try (SavedStates.Reader read = SavedStates.open(honest)) {
            read.steps().forEach(read::state);
          }
        });
  }

  @Test
  void partsOfPreparedOperators() throws IOException {
    Path operators = PreparedOperators.folder(adapter);
    Workplace.ok(
        "prepare", "--model", dir.resolve("model"), "--adapter", adapter, "--data", dir.resolve("data.jsonl"), "--device",
        "reference");
    List<Path> files;
    try (var list = Files.walk(operators)) {
      files = list.filter(Files::isRegularFile).sorted().toList();
    }
    int refused = 0;
    for (Path file : files) { // wrong numbers cannot be told from right ones, what says where they lie can
      refused +=
          inPlace(adapter.relativize(file).toString(), Fuzz.FEWER / files.size(), changed -> readOperators(operators));
    }
    assertTrue(refused > 0, "no mutation was ever refused");
  }

  private static void readOperators(Path operators) {
    try (Trajectory log = Trajectory.open(adapter, model);
        PreparedOperators read = PreparedOperators.open(operators, log, model)) {
      read.operator();
    }
  }

  @Test
  void statesOfInterruptedUnlearning() throws IOException {
    Path folder = Files.createDirectories(dir.resolve("state"));
    Checkpoint checkpoint = new Checkpoint(folder, Map.of("model", "a", "data", "b"));
    Tensor theta = Tensor.of(Shape.of(3), 1.0, 2.0, 3.0);
    Certificate.OuterStep done = new Certificate.OuterStep(1, 1, 2, 3, 4, 0.5, null, true, "converged", 0.25);
    checkpoint.save(new Checkpoint.State(2, theta, List.of(done), Map.of("x", theta), 1.5));
    Path file = folder.resolve("state.safetensors");
    Fuzz.mutations(
        dir.resolve("fuzzed"), List.of(Files.readAllBytes(file)),
        changed -> {
          Files.copy(changed, file, StandardCopyOption.REPLACE_EXISTING);
          checkpoint.load();
        });
  }

  private static void readTrajectory() {
    try (Trajectory log = Trajectory.open(adapter, model)) {
      for (int k = 0; k < log.steps(); k++) {
        log.step(k);
        log.gradient(k);
      }
    }
  }

  /** Mutations of a file of the adapter's folder, put there before each reading. */
  private static void inPlace(String name, Fuzz.Reader reader) throws IOException {
    assertTrue(inPlace(name, Fuzz.FEWER, reader) > 0, "no mutation was ever refused");
  }

  private static int inPlace(String name, int rounds, Fuzz.Reader reader) throws IOException {
    Path honest = adapter.resolve(name);
    byte[] seed = Files.readAllBytes(honest);
    try {
      return Fuzz.mutations(
          rounds,
          dir.resolve("fuzzed"),
          List.of(seed),
          file -> {
            Files.copy(file, honest, StandardCopyOption.REPLACE_EXISTING);
            reader.read(honest);
          });
    } finally {
      Files.write(honest, seed);
    }
  }
}
