package dev.lethe.fuzz;

import dev.lethe.cli.Workplace;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Session;
import dev.lethe.train.TrainingRecord;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.unlearn.DampingRule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
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
    Path honest = adapter.resolve(name);
    byte[] seed = Files.readAllBytes(honest);
    try {
      Fuzz.mutations(
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
