package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ReadmeTest;
import dev.lethe.data.RowKey;
import dev.lethe.format.StrictJson;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.unlearn.result.UnlearnResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** README's command and README's library example make the same adapter, whatever the training left. */
class ReadmeExamplesTest {
  private static final String ADAPTER = "adapter_model.safetensors";

  @TempDir private Path dir;
  private ReadmePlace place;

  @BeforeEach
  void modelAndRows() throws IOException {
    place = new ReadmePlace(dir);
  }

  @Test
  void afterATrainingWithATrajectory() throws IOException {
    Path adapter = place.trained("--trajectory", "on");
    assertTrue(Trajectory.exists(adapter));
    assertEquals("recorded", bothWays(adapter).path("method").path("name").asString());
  }

  @Test
  void afterATrainingByAdamWWithoutOne() throws IOException {
    Path adapter = place.trained("--trajectory", "off");
    assertFalse(Trajectory.exists(adapter));
    assertEquals(
        "auto, from the training record and the request", dampingFrom(bothWays(adapter)));
  }

  @Test
  void afterATrainingBySgd() throws IOException {
    Path adapter =
        place.trained("--trajectory", "off", "--optimizer", "sgd", "--weight-decay", "0.01");
    JsonNode certificate = bothWays(adapter);
    assertEquals("auto, from the training record", dampingFrom(certificate));
    assertEquals(0.01, certificate.path("system").path("weightDecay").asDouble());
  }

  @Test
  void atAMinimum() throws IOException {
    JsonNode certificate = bothWays(place.trained("--to-minimum", "1e-2", "--l2", "0.05"));
    assertEquals("a part of the weight decay, at a minimum", dampingFrom(certificate));
    assertEquals(0.05, certificate.path("system").path("weightDecay").asDouble());
    assertEquals(0.01, certificate.path("system").path("damping").asDouble(), 1e-12);
  }

  @Test
  void withNothingKnownOfTheTraining() throws IOException {
    Path trained = place.trained("--trajectory", "off");
    Path bare = Files.createDirectory(dir.resolve("bare"));
    for (String name : List.of("adapter_config.json", ADAPTER, RowKey.FILE)) {
      Files.copy(trained.resolve(name), bare.resolve(name));
    }
    JsonNode certificate = bothWays(bare);
    assertEquals("default", dampingFrom(certificate));
    assertEquals(1, certificate.path("system").path("damping").asDouble());
  }

  /** Unlearns with the command and with the example; returns the command's certificate. */
  private JsonNode bothWays(Path adapter) throws IOException {
    Path command = place.byCommand(adapter);
    Path library = dir.resolve("by-library");
    ReadmeTest.example(place.model, adapter, place.data, library);
    for (String name : List.of(ADAPTER, UnlearnResult.STEP)) {
      assertArrayEquals(
          Files.readAllBytes(command.resolve(name)), Files.readAllBytes(library.resolve(name)), name);
    }
    assertEquals(names(command), names(library));
    JsonNode one = certificate(command);
    JsonNode other = certificate(library);
    for (String part : List.of("hashes", "request", "method", "system", "gradients", "losses")) {
      assertEquals(one.path(part), other.path(part), part);
    }
    return one;
  }

  private static List<String> names(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static JsonNode certificate(Path folder) {
    return StrictJson.readObject(folder.resolve(UnlearnResult.CERTIFICATE), 1 << 20);
  }

  private static String dampingFrom(JsonNode certificate) {
    return certificate.path("system").path("dampingFrom").asString();
  }
}
