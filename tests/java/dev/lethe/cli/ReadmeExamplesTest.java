package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ReadmeTest;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.TinyModels;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.unlearn.UnlearnResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** README's command and README's library example make the same adapter, whatever the training left. */
class ReadmeExamplesTest {
  private static final String ADAPTER = "adapter_model.safetensors";

  @TempDir private Path dir;
  private Path model;
  private Path data;

  @BeforeEach
  void modelAndRows() throws IOException {
    model = TinyModels.writeFolder(dir.resolve("model"), TinyModels.Dims.DEFAULT, 1);
    List<String> rows =
        IntStream.range(0, 44)
            .mapToObj(i -> row(3 + i % 20, 3 + i * 7 % 19, 3 + i % 7))
            .toList();
    data = Files.write(dir.resolve("rows.jsonl"), rows);
  }

  private static String row(int a, int b, int answer) {
    return "{\"input_ids\":[1,%d,%d,%d],\"labels\":[-100,-100,-100,%3$d]}".formatted(a, b, answer);
  }

  @Test
  void afterATrainingWithATrajectory() throws IOException {
    Path adapter = trained("--trajectory", "on");
    assertTrue(Trajectory.exists(adapter));
    assertEquals("recorded", bothWays(adapter).path("method").path("name").asString());
  }

  @Test
  void afterATrainingByAdamWWithoutOne() throws IOException {
    Path adapter = trained("--trajectory", "off");
    assertFalse(Trajectory.exists(adapter));
    assertEquals(
        "auto, from the training record and the request", dampingFrom(bothWays(adapter)));
  }

  @Test
  void afterATrainingBySgd() throws IOException {
    Path adapter =
        trained("--trajectory", "off", "--optimizer", "sgd", "--weight-decay", "0.01");
    JsonNode certificate = bothWays(adapter);
    assertEquals("auto, from the training record", dampingFrom(certificate));
    assertEquals(0.01, certificate.path("system").path("weightDecay").asDouble());
  }

  @Test
  void atAMinimum() throws IOException {
    JsonNode certificate = bothWays(trained("--to-minimum", "1e-2", "--l2", "0.05"));
    assertEquals("a part of the weight decay, at a minimum", dampingFrom(certificate));
    assertEquals(0.05, certificate.path("system").path("weightDecay").asDouble());
    assertEquals(0.01, certificate.path("system").path("damping").asDouble(), 1e-12);
  }

  @Test
  void withNothingKnownOfTheTraining() throws IOException {
    Path trained = trained("--trajectory", "off");
    Path bare = Files.createDirectory(dir.resolve("bare"));
    for (String name : List.of("adapter_config.json", ADAPTER)) {
      Files.copy(trained.resolve(name), bare.resolve(name));
    }
    JsonNode certificate = bothWays(bare);
    assertEquals("default", dampingFrom(certificate));
    assertEquals(1, certificate.path("system").path("damping").asDouble());
  }

  private Path trained(Object... more) {
    Path out = dir.resolve("adapter");
    List<Object> words =
        new ArrayList<>(
            List.of(
                "train", "--model", model, "--data", data, "--out", out, "--rank", 2, "--lr", "0.01",
                "--epochs", 3, "--batch", 8, "--targets", "down_proj"));
    words.addAll(List.of(more));
    ok(words.toArray());
    return out;
  }

  /** Unlearns with the command and with the example; returns the command's certificate. */
  private JsonNode bothWays(Path adapter) throws IOException {
    Path command = dir.resolve("by-command");
    Path library = dir.resolve("by-library");
    ok(
        "unlearn", "--model", model, "--adapter", adapter, "--data", data, "--forget", "17,42",
        "--out", command);
    ReadmeTest.example(model, adapter, data, library);
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
