package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.cuda.driver.FakeDriver;
import dev.lethe.cli.terminal.ExitCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code --device cuda:all} on the stand-in for the driver: two devices have the bytes of one, and both work. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SeveralDevicesTest {
  private static final String TWO = "devices=2";

  @TempDir static Path dir;
  private FakeDriver driver;
  private Workplace place;
  private Path adapter;
  private Path vector;
  private int made;

  @BeforeAll
  void train() {
    driver = FakeDriver.open(TWO);
    place = new Workplace(dir);
    adapter = place.adapter("adapter", "--trajectory", "on");
    vector = file("vector");
    Workplace.ok(on("cuda:0", "gradients", "--out", vector));
  }

  @AfterAll
  void stop() {
    if (driver != null) {
      driver.close();
    }
  }

  private Path file(String name) {
    return dir.resolve(name + "-" + made++);
  }

  /** A command on rows of five tokens, at most four in a block: three blocks. */
  private Object[] on(String device, String name, Object... more) {
    Object[] base = {
      name, "--model", place.model, "--adapter", adapter, "--data", place.data, "--batch-tokens", 20, "--device",
      device, "--dtype", "f32"
    };
    return Stream.concat(Stream.of(base), Stream.of(more)).toArray();
  }

  private void requireSameBytes(String name, Object... more) throws IOException {
    driver.configure(TWO);
    Object[] out = {"--out", file("alone")};
    Workplace.ok(on("cuda:0", name, Stream.concat(Stream.of(more), Stream.of(out)).toArray()));
    assertEquals(0, driver.calls("kernel.1"));
    Object[] shared = {"--out", file("shared")};
    Workplace.ok(on("cuda:all", name, Stream.concat(Stream.of(more), Stream.of(shared)).toArray()));
    assertTrue(driver.calls("kernel.1") > 0, "the second device works");
    requireSame((Path) out[1], (Path) shared[1]);
    for (String kind : List.of("context", "stream", "executable", "memory")) {
      assertEquals(0, driver.live(kind), kind + " not given back");
    }
  }

  private static void requireSame(Path expected, Path got) throws IOException {
    if (Files.isDirectory(expected)) {
      for (String name : List.of("adapter_model.safetensors", "lethe_step.safetensors")) {
        assertEquals(-1, Files.mismatch(expected.resolve(name), got.resolve(name)), name);
      }
    } else {
      assertEquals(-1, Files.mismatch(expected, got));
    }
  }

  @Test
  void gradients() throws IOException {
    requireSameBytes("gradients");
    requireSameBytes("gradients", "--per-sample");
  }

  @ParameterizedTest
  @ValueSource(strings = {"hessian", "ggn", "fisher"})
  void products(String curvature) throws IOException {
    requireSameBytes("hvp", "--vector", vector, "--curvature", curvature);
  }

  @Test
  void losses() throws IOException {
    requireSameBytes("evaluate");
  }

  @Test
  void influence() throws IOException {
    requireSameBytes("influence", "--query", place.write("queries.jsonl", Workplace.rows(2, 9)), "--max-iterations", 2);
  }

  @Test
  void influenceStep() throws IOException {
    requireSameBytes(
        "unlearn", "--forget", "row-3", "--method", "influence", "--damping", "0.1", "--max-iterations", 3);
  }

  @Test
  void preparationAndReplay() throws IOException {
    Path alone = file("operators");
    Path shared = file("operators");
    Workplace.ok(on("cuda:0", "prepare", "--operators", alone, "--sketch-rows", 12));
    driver.configure(TWO);
    Workplace.ok(on("cuda:all", "prepare", "--operators", shared, "--sketch-rows", 12));
    assertTrue(driver.calls("kernel.1") > 0, "the second device works");
    try (Stream<Path> files = Files.list(alone)) {
      for (Path file : files.toList()) {
        assertEquals(-1, Files.mismatch(file, shared.resolve(file.getFileName())), file.toString());
      }
    }
    requireSameBytes("unlearn", "--forget", "row-3,row-7", "--method", "recorded", "--operators", alone, "--force");
  }

  @Test
  void oneDeviceHasNobodyToShareWith() throws IOException {
    driver.configure("devices=1");
    Path out = file("one");
    Cli.Ended ended = Workplace.ok(on("cuda:all", "gradients", "--out", out));
    assertTrue(ended.err().contains("--device cuda:all: there is one device, cuda, so nothing is shared"), ended::toString);
    requireSame(vector, out);
  }

  @Test
  void whatCannotBeIsRefused() {
    driver.configure("devices=0");
    refused("sees no GPU", on("cuda:all", "gradients", "--out", file("never")));
    driver.configure("devices=2 capability.1=80");
    refused("its devices are not of one kind", on("cuda:all", "gradients", "--out", file("never")));
    assertEquals(0, driver.live("context"));
    driver.configure("devices=2 cuDevicePrimaryCtxRetain=2:2");
    refused("opening the GPU failed", on("cuda:all", "gradients", "--out", file("never")));
    assertEquals(0, driver.live("context"));
    driver.configure(TWO);
    refused("is several devices, and this works on one", "selftest", "--device", "cuda:all");
  }

  private static void refused(String words, Object... command) {
    Cli.Ended ended = Cli.run(command);
    assertEquals(ExitCode.ENVIRONMENT, ended.code(), ended::toString);
    assertTrue(ended.err().contains(words), ended::toString);
  }
}
