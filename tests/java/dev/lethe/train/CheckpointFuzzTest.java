package dev.lethe.train;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Workplace;
import dev.lethe.fuzz.Fuzz;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Session;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.junit.jupiter.api.io.TempDir;

/** The two files of an interrupted training's checkpoint, changed. */
class CheckpointFuzzTest {
  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"checkpoint.json", "state.safetensors"})
  void checkpoints(String name) throws IOException {
    Workplace place = new Workplace(dir);
    Path adapter = place.adapter("adapter", "--trajectory", "off");
    try (Session session = Session.open(place.model, "reference")) {
      AdaptedModel model = session.adapted(adapter);
      Checkpoints checkpoints = new Checkpoints(dir.resolve("run"), Map.of("model", "a"));
      try (TrainingState state = new TrainingState(model, TrainOptions.DEFAULT)) {
        state.step = 12;
        state.updates = 12;
        checkpoints.save(state);
        Path file = dir.resolve("run").resolve("step-00000012").resolve(name);
        int refused =
            Fuzz.mutations(
                Fuzz.FEWER, dir.resolve("fuzzed"), List.of(Files.readAllBytes(file)),
                changed -> {
                  Files.copy(changed, file, StandardCopyOption.REPLACE_EXISTING);
                  checkpoints.restore(state);
                });
        assertTrue(refused > 0, "no mutation was ever refused");
      }
    }
  }
}
