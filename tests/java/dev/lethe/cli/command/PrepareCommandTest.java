package dev.lethe.cli.command;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli;
import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.Workplace;
import dev.lethe.cli.terminal.ExitCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** lethe prepare, and EK-FAC on the command line. */
class PrepareCommandTest {
  @TempDir Path dir;
  private Workplace work;

  @BeforeEach
  void open() {
    work = new Workplace(dir);
  }

  private Object[] prepare(Path adapter, Object... more) {
    Object[] base = {
      "prepare", "--model", work.model, "--adapter", adapter, "--data", work.data, "--device",
      "reference"
    };
    return Stream.concat(
            Arrays.stream(base), Arrays.stream(more))
        .toArray();
  }

  @Test
  void itPreparesOnceAndKeepsTheResultBesideTheTrajectory() throws IOException {
    Path adapter = work.adapter("adapter", "--trajectory", "on");
    Ended first = Workplace.ok(prepare(adapter, "--sketch-rows", 60, "--json"));
    JsonNode json = new ObjectMapper().readTree(first.out());
    assertTrue(json.get("sample_gradients").asDouble() > 0, first.out());
    assertTrue(json.get("retrainings").asDouble() > 0, first.out());
    Path folder = adapter.resolve("lethe_operators");
    byte[] ekfac = Files.readAllBytes(folder.resolve("ekfac.safetensors"));
    Ended second = Workplace.ok(prepare(adapter, "--json"));
    assertEquals(0, new ObjectMapper().readTree(second.out()).get("sample_gradients").asDouble());
    assertTrue(
        Arrays.equals(ekfac, Files.readAllBytes(folder.resolve("ekfac.safetensors"))));
    Ended other = Cli.run(prepare(adapter, "--sketch-rows", 61));
    assertFalse(other.code() == ExitCode.DONE);
    assertTrue(other.err().contains("other settings"), other.err());
  }

  @Test
  void anotherFolderMayHoldTheResult() {
    Path adapter = work.adapter("adapter", "--trajectory", "on");
    Path elsewhere = dir.resolve("elsewhere");
    Workplace.ok(prepare(adapter, "--sketch-rows", 20, "--operators", elsewhere));
    assertTrue(Files.exists(elsewhere.resolve("ekfac.safetensors")));
    assertFalse(Files.exists(adapter.resolve("lethe_operators")));
  }

  @Test
  void badInputIsRefusedBeforeAnythingIsWritten() {
    Path bare = work.adapter("bare", "--trajectory", "off");
    Ended none = Cli.run(prepare(bare));
    assertTrue(none.err().contains("--trajectory on"), none.err());
    Path adapter = work.adapter("adapter", "--trajectory", "on");
    Ended rows = Cli.run(prepare(adapter, "--sketch-rows", 0));
    assertTrue(rows.err().contains("--sketch-rows"), rows.err());
    Path fewer = work.write("fewer.jsonl", Workplace.rows(Workplace.ROWS, 2).subList(0, 5));
    Ended lacking =
        Cli.run(
            "prepare", "--model", work.model, "--adapter", adapter, "--data", fewer, "--device",
            "reference");
    assertTrue(lacking.err().contains("lack rows"), lacking.err());
    assertFalse(Files.exists(adapter.resolve("lethe_operators")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void ekfacIsACurvatureOfItsOwn(String device) {
    Path adapter = work.adapter("adapter");
    Path query = work.write("query.jsonl", Workplace.rows(2, 9));
    Path gradients = dir.resolve("gradients.safetensors");
    Workplace.ok(
        "gradients", "--model", work.model, "--adapter", adapter, "--data", query,
        "--out", gradients, "--device", device);
    Workplace.ok(
        "hvp", "--model", work.model, "--adapter", adapter, "--data", work.data, "--vector",
        gradients, "--out", dir.resolve("product.safetensors"), "--curvature", "ekfac", "--device",
        device);
    Ended scores =
        Workplace.ok(
            "influence", "--model", work.model, "--adapter", adapter, "--data", work.data,
            "--query", query, "--curvature", "ekfac", "--solver", "direct", "--device", device);
    assertTrue(scores.out().contains("helping row"), scores.out());
    Workplace.ok(
        "unlearn", "--model", work.model, "--adapter", adapter, "--data", work.data, "--forget",
        "row-3", "--curvature", "ekfac", "--solver", "direct", "--out", dir.resolve("unlearned"),
        "--device", device);
    assertTrue(Files.exists(dir.resolve("unlearned/adapter_model.safetensors")));
  }
}
