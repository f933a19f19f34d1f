package dev.lethe.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Workplace;
import dev.lethe.cli.terminal.ExitCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** A real cluster on this machine: what executors share has the bytes of one process, whatever dies. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SparkClusterTest {
  private static final String FINISHED = "Finished task";
  private static final String OPERATORS = "operators";
  private static final List<String> HALF = List.of("spark.cores.max=1");

  @TempDir static Path dir;
  private Workplace place;
  private Path data;
  private Path adapter;
  private Path gradient;
  private Path solved;
  private Cluster cluster;

  @BeforeAll
  void start() throws IOException {
    place = new Workplace(dir);
    data = place.write("many.jsonl", Workplace.rows(60, 4));
    adapter = dir.resolve("adapter");
    Workplace.ok(
        "train", "--model", place.model, "--data", data, "--out", adapter, "--device", "cpu", "--rank", 2,
        "--lr", "0.01", "--epochs", 2, "--batch", 4);
    gradient = dir.resolve("alone-gradient");
    Workplace.ok(command("gradients", gradient));
    solved = dir.resolve("alone-solved");
    Workplace.ok(longSolve(solved));
    cluster = new Cluster(dir);
    Runtime.getRuntime().addShutdownHook(new Thread(cluster::close));
    cluster.addWorker();
    cluster.addWorker();
  }

  @AfterAll
  void stop() {
    if (cluster != null) {
      cluster.close();
    }
  }

  private Object[] command(String name, Path out, Object... more) {
    Object[] base = {
      name, "--model", place.model, "--adapter", adapter, "--data", data, "--batch-tokens", 20, "--device", "cpu",
      "--threads", 1, "--out", out
    };
    return Stream.concat(Stream.of(base), Stream.of(more)).toArray();
  }

  /** Some 60 products: no tolerance is reached. */
  private Object[] longSolve(Path out, Object... more) {
    Object[] solve =
        command(
            "unlearn", out, "--forget", "row-3,row-40", "--method", "influence", "--damping", "1e-7",
            "--tolerance", "1e-15", "--max-iterations", 60);
    return Stream.concat(Stream.of(solve), Stream.of(more)).toArray();
  }

  private static void requireSame(Path expected, Path got) throws IOException {
    if (Files.isDirectory(expected)) {
      for (String name : List.of("adapter_model.safetensors", "lethe_step.safetensors")) {
        assertEquals(-1, Files.mismatch(expected.resolve(name), got.resolve(name)), got + ": " + name);
      }
    } else {
      assertEquals(-1, Files.mismatch(expected, got), got.toString());
    }
  }

  /** A command whose outputs have names that begin so. */
  private Object[] words(Object[] command, String name, int number) {
    Object[] more =
        Stream.of(command).skip(1).map(word -> word == OPERATORS ? dir.resolve(name + "-" + word) : word).toArray();
    return command(command[0].toString(), dir.resolve(name + "-" + number), more);
  }

  @Test
  void theBytesAreThoseOfOneProcess() throws IOException, InterruptedException {
    Path queries = place.write("queries.jsonl", Workplace.rows(9, 8));
    List<Object[]> rest =
        List.of(
            new Object[] {"gradients"},
            new Object[] {"gradients", "--per-sample"},
            new Object[] {"hvp", "--vector", gradient},
            new Object[] {"evaluate"},
            new Object[] {"influence", "--query", queries},
            new Object[] {"unlearn", "--forget", "row-3,row-40", "--method", "influence"},
            new Object[] {"unlearn", "--forget", "row-3,row-40", "--operators", OPERATORS, "--force"});
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < rest.size(); i++) {
      Workplace.ok(words(rest.get(i), "alone", i));
      lines.add(
          Stream.of(words(rest.get(i), "shared", i)).map(Object::toString).collect(Collectors.joining("\t")));
    }
    String log =
        cluster
            .submit("commands", List.of(), ManyCommands.class, place.write("commands.txt", lines))
            .end(ExitCode.DONE);
    for (int i = 0; i < rest.size(); i++) {
      requireSame(dir.resolve("alone-" + i), dir.resolve("shared-" + i));
    }
    try (Stream<Path> prepared = Files.list(dir.resolve("alone-" + OPERATORS))) {
      for (Path file : prepared.toList()) {
        requireSame(file, dir.resolve("shared-" + OPERATORS).resolve(file.getFileName()));
      }
    }
    assertTrue(log.contains("executor 0") && log.contains("executor 1"), "both executors worked");
  }

  @Test
  void twoJobsDoNotDisturbEachOther() throws IOException, InterruptedException {
    Path first = dir.resolve("two-gradient");
    Path second = dir.resolve("two-solved");
    Cluster.Driver one = cluster.submit("one", HALF, Main.class, longSolve(second));
    Cluster.Driver other = cluster.submit("other", HALF, Main.class, command("gradients", first));
    other.end(ExitCode.DONE);
    one.end(ExitCode.DONE);
    requireSame(gradient, first);
    requireSame(solved, second);
  }

  @Test
  void anExecutorWithoutTheModelSaysSo() throws IOException, InterruptedException {
    Object[] words = command("gradients", dir.resolve("never"));
    words[2] = "/proc/self/cwd/" + dir.relativize(place.model);
    String log = cluster.submit("missing", List.of(), Main.class, words).end(ExitCode.FAILED);
    assertTrue(log.contains("the model is not on this machine"), log);
    assertTrue(log.contains("all machines of the cluster see under the same path"), log);
  }

  @Test
  void aLostDriverResumes() throws IOException, InterruptedException {
    Path out = dir.resolve("resumed");
    Path state = dir.resolve("resumed.unfinished").resolve("state.safetensors");
    cluster
        .submit("lost", List.of(), Main.class, longSolve(out))
        .awaitThat("a saved state", () -> Files.exists(state))
        .kill();
    assertTrue(Files.exists(state) && Files.notExists(out));
    cluster.submit("resumed", List.of(), Main.class, longSolve(out, "--resume")).end(ExitCode.DONE);
    requireSame(solved, out);
  }

  @Test
  void aKilledWorkerCostsTimeAndNothingElse() throws IOException, InterruptedException {
    Path out = dir.resolve("survived");
    Cluster.Driver driver = cluster.submit("survivor", List.of(), Main.class, longSolve(out));
    driver.awaitLog(FINISHED, 20);
    cluster.killWorker(cluster.addWorker() - 1);
    String log = driver.end(ExitCode.DONE);
    assertTrue(log.contains("Lost executor"), "an executor was lost while the solve ran");
    requireSame(solved, out);
  }
}
