package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.session.Interrupt;
import dev.lethe.train.SavedStates;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training from the command line: what it leaves of its way, and training without some rows. */
class TrajectoryCommandTest {
  private static final List<String> TRAJECTORY =
      List.of("trajectory.json", "rows.jsonl", "steps.jsonl", "initial.safetensors", "gradients.bin");

  @TempDir private Path dir;
  private Workplace place;

  @BeforeEach
  void open() {
    place = new Workplace(dir);
  }

  private Object[] train(String out, Object... more) {
    Object[] base = {
      "train", "--model", place.model, "--data", place.data, "--out", place.at(out), "--device",
      "reference", "--rank", 2, "--batch", 2
    };
    List<Object> all = new ArrayList<>(List.of(base));
    all.addAll(List.of(more));
    for (Object[] option : new Object[][] {{"--lr", "0.01"}, {"--epochs", 2}}) {
      if (!all.contains(option[0])) {
        all.addAll(List.of(option));
      }
    }
    return all.toArray();
  }

  private boolean kept(String out) {
    return Files.exists(place.at(out).resolve("lethe_trajectory"));
  }

  @Test
  void automaticallyKeptWhereThereIsRoomAndItsSizeIsSaid() throws IOException {
    Ended ended = ok(train("a"));
    assertTrue(ended.err().contains("lethe_trajectory (about "), ended.err());
    assertTrue(ended.err().contains(" free)"), ended.err());
    Path folder = place.at("a").resolve("lethe_trajectory");
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(TRAJECTORY.size(), files.count());
    }
    long parameters = StrictJson.readObject(folder.resolve("trajectory.json"), 1 << 20)
        .get("parameters").longValue();
    assertEquals(12 * parameters * 2, Files.size(folder.resolve("gradients.bin")));
    ok(train("wide", "--trajectory", "on", "--trajectory-dtype", "f32"));
    Path wide = place.at("wide").resolve("lethe_trajectory").resolve("gradients.bin");
    assertEquals(12 * parameters * 4, Files.size(wide));
    same("a", "wide", "adapter_model.safetensors", "lethe_training.json", "lethe_log.jsonl");
  }

  @Test
  void withoutATrajectoryAFewStatesStay() {
    ok(train("a", "--trajectory", "off"));
    assertFalse(kept("a"));
    try (SavedStates.Reader states = SavedStates.open(place.at("a"))) {
      assertEquals(List.of(1L, 4L, 6L, 8L, 11L), states.steps());
      long thetas =
          states.state(6).vectors().keySet().stream().filter(n -> n.startsWith("parameters/")).count();
      assertEquals(3 * thetas, states.state(6).vectors().size());
    }
    ok(train("b", "--trajectory", "off", "--seed", 5));
    copy("b/lethe_checkpoints.safetensors", "a/lethe_checkpoints.safetensors");
    LetheException e = assertThrows(LetheException.class, () -> SavedStates.open(place.at("a")));
    assertTrue(e.getMessage().contains("another adapter"), e.getMessage());
  }

  private void copy(String from, String to) {
    try {
      Files.copy(
          place.at(from), place.at(to), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void noRoomIsSaidBeforeTraining() {
    Object[] endless = train("a", "--trajectory", "on", "--max-steps", 1_000_000_000_000L);
    List<Path> before = place.listing();
    Ended ended = Cli.run(endless);
    assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
    assertTrue(ended.err().contains("no room for the trajectory"), ended.err());
    assertTrue(ended.err().contains("--trajectory off"), ended.err());
    assertEquals(before, place.listing());
    Interrupt stop = new Interrupt();
    stop.request();
    Ended automatic = Cli.run(stop, train("a", "--max-steps", 1_000_000_000_000L));
    assertEquals(ExitCode.INTERRUPTED, automatic.code(), automatic::toString);
    assertTrue(automatic.err().contains("more than a quarter"), automatic.err());
  }

  @Test
  void aMinimumHasNoTrajectory() {
    Ended ended = Cli.run(train("a", "--trajectory", "on", "--to-minimum", "1e-2"));
    assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
    assertTrue(ended.err().contains("--to-minimum"), ended.err());
    Ended automatic =
        ok(train("a", "--to-minimum", "1e-1", "--l2", "1", "--epochs", 1));
    assertTrue(automatic.err().contains("no trajectory is kept"), automatic.err());
    assertFalse(kept("a"));
  }

  @Test
  void withoutRowsAndWithOthers() throws IOException {
    Path others =
        place.write("others.jsonl", List.of(Workplace.row("row-5", new SplittableRandom(4))));
    place.write("ids.txt", List.of("row-1", "row-2"));
    ok(train("a", "--without", "row-1,row-2", "--replace", others));
    ok(train("b", "--without", "@" + place.at("ids.txt"), "--replace", others));
    same("a", "b", "adapter_model.safetensors", "lethe_training.json", "lethe_log.jsonl");
    String record = Files.readString(place.at("a").resolve("lethe_training.json"));
    assertEquals(11 - 1, StrictJson.parse(record, "record").get("n").intValue());
    assertEquals(2, StrictJson.parse(record, "record").get("edits").get("removed").intValue());
    String rows = Files.readString(place.at("a/lethe_trajectory/rows.jsonl"));
    assertEquals(2, rows.lines().filter(line -> line.contains("\"hash\":\"\"")).count());
    ok(train("plain"));
    assertTrue(differ("a", "plain", "adapter_model.safetensors"));
    ok(train("shrunk", "--without", "row-1,row-2", "--replace", others, "--divisor", "shrink"));
    assertTrue(differ("a", "shrunk", "adapter_model.safetensors"));
    Ended unknown = Cli.run(train("c", "--without", "row-99"));
    assertTrue(unknown.err().contains("'row-99'"), unknown.err());
    Ended divisor = Cli.run(train("c", "--without", "row-1", "--divisor", "half"));
    assertTrue(divisor.err().contains("keep or shrink"), divisor.err());
  }

  @Test
  void anEmptiedBatchLogsANullLoss() throws IOException {
    Ended ended =
        ok(train("a", "--no-shuffle", "--without", "row-10,row-11", "--json", "--quiet"));
    List<String> log = Files.readAllLines(place.at("a/lethe_log.jsonl"));
    assertEquals(12, log.size());
    assertTrue(log.get(5).contains("\"loss\":null"), log.get(5));
    assertTrue(log.get(11).contains("\"loss\":null"), log.get(11));
    assertTrue(ended.out().contains("\"final_loss\":null"), ended.out());
    assertEquals("", ended.err());
    ok(train("b", "--no-shuffle", "--without", "row-10,row-11", "--divisor", "shrink"));
    assertEquals(10, Files.readAllLines(place.at("b/lethe_trajectory/steps.jsonl")).size());
    assertEquals(12, Files.readAllLines(place.at("b/lethe_log.jsonl")).size());
  }

  @Test
  void aTrainingThatFailsEarlyLeavesNothing() {
    List<Path> before = place.listing();
    Ended ended = Cli.run(train("a", "--optimizer", "sgd", "--lr", "1e300", "--clip", 0));
    assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
    assertTrue(ended.err().contains("not finite"), ended.err());
    assertEquals(before, place.listing());
  }

  /** A process that is killed between two checkpoints, and one of another kind that goes on. */
  @Test
  void killedAndResumedToTheSameBytes() throws Exception {
    for (String mode : List.of("on", "off")) {
      Object[] more = {
        "--trajectory", mode, "--max-steps", 600, "--checkpoint-every", 40, "--dropout", "0.1"
      };
      String parts = "parts-" + mode;
      killAfterACheckpoint(train(parts, more), place.at(parts + ".unfinished"));
      Object[] resumed = Arrays.copyOf(more, more.length + 1);
      resumed[more.length] = "--resume";
      Object[] other = resumed.clone();
      other[1] = mode.equals("on") ? "off" : "on";
      Ended refused = Cli.run(train(parts, other));
      assertTrue(refused.err().contains("began with other options"), refused.err());
      ok(train(parts, resumed));
      ok(train("whole-" + mode, more));
      same("whole-" + mode, parts, "adapter_model.safetensors", "lethe_training.json", "lethe_log.jsonl");
      if (mode.equals("on")) {
        for (String name : TRAJECTORY) {
          same("whole-on", parts, "lethe_trajectory/" + name);
        }
      } else {
        same("whole-off", parts, SavedStates.FILE);
      }
      assertTrue(Files.notExists(place.at(parts + ".unfinished")));
    }
  }

  private static void killAfterACheckpoint(Object[] args, Path state) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--add-modules", "jdk.incubator.vector", "-Xmx512m"));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    Arrays.stream(args).map(Object::toString).forEach(command::add);
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(state.resolveSibling("killed.log").toFile())
            .start();
    try {
      while (process.isAlive() && !hasCheckpoint(state)) {
        Thread.sleep(2);
      }
    } finally {
      process.destroyForcibly().waitFor(30, TimeUnit.SECONDS);
    }
    assertTrue(hasCheckpoint(state), "the run was over before it could be killed");
  }

  private static boolean hasCheckpoint(Path state) {
    if (!Files.isDirectory(state)) {
      return false;
    }
    try (Stream<Path> files = Files.list(state)) {
      return files.anyMatch(file -> file.getFileName().toString().startsWith("step-"));
    } catch (IOException e) {
      return false;
    }
  }

  private boolean differ(String one, String other, String name) throws IOException {
    return !Workplace.stable(place.at(one).resolve(name)).equals(Workplace.stable(place.at(other).resolve(name)));
  }

  private void same(String one, String other, String... names) throws IOException {
    for (String name : names) {
      assertFalse(differ(one, other, name), name);
    }
  }
}
