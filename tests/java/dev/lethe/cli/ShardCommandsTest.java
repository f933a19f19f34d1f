package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.terminal.ExitCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Shards of a command, merged, are the file that it writes alone. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ShardCommandsTest {
  @TempDir static Path dir;
  private Workplace place;
  private Path adapter;
  private Path vector;
  private int made;

  @BeforeAll
  void train() {
    place = new Workplace(dir);
    adapter = place.adapter("adapter");
    vector = file("vector");
    Workplace.ok(command("gradients", place.data, "--out", vector));
  }

  private Path file(String name) {
    return dir.resolve(name + "-" + made++);
  }

  private Path rows(int count) {
    return place.write("rows-" + count + ".jsonl", Workplace.rows(count, 5));
  }

  /** A command on rows of five tokens, at most four in a block. */
  private Object[] command(String name, Path data, Object... more) {
    return with(in(20, name, data), more);
  }

  private Object[] in(int batchTokens, String name, Path data) {
    return new Object[] {
      name, "--model", place.model, "--adapter", adapter, "--data", data, "--batch-tokens", batchTokens
    };
  }

  private static Object[] with(Object[] command, Object... more) {
    return Stream.concat(Stream.of(command), Stream.of(more)).toArray();
  }

  private List<Path> shards(Object[] command, int count) {
    List<Path> files = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      files.add(file("shard"));
      Workplace.ok(with(command, "--out", files.get(i), "--shard", i + "/" + count));
    }
    return files;
  }

  private static Object[] merge(Path out, List<Path> shards) {
    Object[] base = {"merge-shards", "--out", out};
    return Stream.concat(Stream.of(base), shards.stream()).toArray();
  }

  private void requireSameBytes(Object[] command, int... counts) throws IOException {
    Path alone = file("alone");
    Workplace.ok(with(command, "--out", alone));
    for (int count : counts) {
      List<Path> shards = shards(command, count);
      Collections.reverse(shards);
      Path merged = file("merged");
      Workplace.ok(merge(merged, shards));
      assertEquals(-1, Files.mismatch(alone, merged), count + " shards of " + List.of(command));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5, 23, 34})
  void gradients(int rows) throws IOException {
    for (String device : List.of("cpu", "reference")) {
      requireSameBytes(command("gradients", rows(rows), "--device", device), 1, 2, 3, 7);
      requireSameBytes(command("gradients", rows(rows), "--device", device, "--per-sample"), 2, 5);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"hessian", "ggn", "fisher"})
  void products(String curvature) throws IOException {
    Object[] command =
        command("hvp", rows(23), "--device", "cpu", "--vector", vector, "--curvature", curvature);
    requireSameBytes(command, 2, 9);
    requireSameBytes(with(command, "--damping", "0.3"), 3);
  }

  @Test
  void influenceSharesOutQueriesAndThenRows() throws IOException {
    Path queries = place.write("queries.jsonl", Workplace.rows(11, 9));
    for (String solver : List.of("cg", "block-cg")) {
      requireSameBytes(
          command("influence", rows(23), "--device", "cpu", "--query", queries, "--solver", solver),
          1, 2, 3, 7);
    }
  }

  @Test
  void preparation() throws IOException {
    Path alone = file("operators");
    Workplace.ok(command("prepare", place.data, "--device", "cpu", "--operators", alone));
    List<Path> shards = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      shards.add(file("operators"));
      Object[] part =
          command(
              "prepare", place.data, "--device", "cpu", "--operators", shards.get(i), "--shard", i + "/3");
      Workplace.ok(part);
      Workplace.ok(part);
    }
    Cli.Ended whole = Cli.run(command("prepare", place.data, "--device", "cpu", "--operators", shards.get(0)));
    assertTrue(whole.err().contains("these operators are a shard"), whole::toString);
    Path merged = file("operators");
    Workplace.ok(merge(merged, shards));
    Workplace.ok(command("prepare", place.data, "--device", "cpu", "--operators", merged));
    assertEquals(names(alone), names(merged));
    for (String name : names(alone)) {
      assertEquals(-1, Files.mismatch(alone.resolve(name), merged.resolve(name)), name);
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void aMissingADoubleAndAForeignShardAreRefusedByName() {
    Path data = rows(23);
    List<Path> shards = shards(command("gradients", data, "--device", "cpu"), 3);
    refused(List.of(shards.get(0), shards.get(2)), "1 of 3 shards are missing", "1/3");
    refused(
        List.of(shards.get(0), shards.get(1), shards.get(2), shards.get(1)),
        "this shard is there twice", shards.get(1).toString());
    for (Object[] other :
        List.of(
            command("gradients", data, "--device", "reference"),
            command("gradients", rows(34), "--device", "cpu"),
            command("gradients", data, "--device", "cpu", "--per-sample"),
            command("hvp", data, "--device", "cpu", "--vector", vector),
            with(in(40, "gradients", data), "--device", "cpu"))) {
      Path foreign = file("foreign");
      Workplace.ok(with(other, "--out", foreign, "--shard", "2/3"));
      refused(
          List.of(shards.get(0), shards.get(1), foreign),
          "this shard belongs to another computation", foreign.toString());
    }
    refused(List.of(shards.get(0), vector), "is no shard", vector.toString());
    refused(List.of(shards.get(0), data), "is no shard", data.toString());
    refused(List.of(shards.get(0), adapter), "is no shard", adapter.toString());
    refused(List.of(dir.resolve("nowhere")), "there is no such", "nowhere");
  }

  private void refused(List<Path> shards, String... words) {
    Path out = file("refused");
    Cli.Ended ended = Cli.run(merge(out, shards));
    assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
    for (String word : words) {
      assertTrue(ended.err().contains(word), () -> word + "\n" + ended);
    }
    assertFalse(Files.exists(out));
  }

  @Test
  void whatIsNoShardIsAUsageError() {
    for (String shard : List.of("4/4", "1", "a/b", "-1/2", "0/0")) {
      Cli.Ended ended =
          Cli.run(command("gradients", place.data, "--out", file("none"), "--shard=" + shard));
      assertEquals(ExitCode.USAGE, ended.code(), ended::toString);
      assertTrue(ended.err().contains("--shard"), ended::toString);
    }
    Cli.Ended ekfac =
        Cli.run(
            command(
                "hvp", place.data, "--out", file("none"), "--vector", vector, "--shard", "0/2",
                "--curvature", "ekfac"));
    assertEquals(ExitCode.USAGE, ekfac.code(), ekfac::toString);
  }
}
