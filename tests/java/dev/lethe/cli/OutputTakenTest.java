package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.file.OutputHolder;
import dev.lethe.format.file.OutputName;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two runs never work towards the same output: the second is told at once who makes it. */
class OutputTakenTest {
  /** The commands that write what {@code --out} names. */
  private static final List<String> WRITING =
      List.of("assess", "evaluate", "gradients", "hvp", "influence", "merge", "merge-shards", "train", "unlearn");

  @TempDir private static Path dir;
  private static Workplace place;

  @BeforeAll
  static void open() {
    place = new Workplace(dir);
  }

  @Test
  void everyCommandWithAnOutputIsTestedHere() {
    TreeSet<String> found = new TreeSet<>();
    Main.commands(new Console(System.out, System.err, false, null))
        .getSubcommands()
        .forEach(
            (name, command) -> {
              if (command.getCommandSpec().findOption("--out") != null) {
                found.add(name);
              }
            });
    // Parts of a study share its folder; each of its steps is a command that takes its own output's name.
    found.remove("study");
    assertEquals(new TreeSet<>(WRITING), found);
  }

  /** No model is there yet: the refusal comes before anything is opened. */
  @Test
  void aHeldNameIsRefusedBeforeAnythingElse() {
    Path out = place.at("held");
    List<Path> before = place.listing();
    try (OutputName name = OutputName.take(out)) {
      for (String command : WRITING) {
        refused(Cli.run(arguments(command, out)), ProcessHandle.current().pid());
      }
    }
    assertEquals(before, place.listing());
  }

  @Test
  void operatorsAreNotPreparedTwiceAtATime() {
    Path none = place.at("none");
    Path operators = place.at("operators");
    try (OutputName name = OutputName.hold(operators)) {
      Ended second =
          Cli.run(
              "prepare", "--model", none, "--adapter", none, "--data", none, "--operators", operators);
      refused(second, ProcessHandle.current().pid());
    }
  }

  @Test
  void anotherProcessThatHoldsItIsNamedAndItsEndFreesIt() throws IOException {
    Path out = place.at("trained");
    Object[] train = {
      "train", "--model", place.model, "--data", place.data, "--out", out, "--device", "reference",
      "--rank", 2, "--epochs", 1, "--trajectory", "off"
    };
    try (OutputHolder holder = new OutputHolder(out)) {
      refused(Cli.run(train), holder.pid());
    }
    Workplace.ok(train);
  }

  private static void refused(Ended ended, long pid) {
    assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
    assertTrue(ended.err().contains("another run is making this output"), ended::toString);
    assertTrue(ended.err().contains("process " + pid + " since "), ended::toString);
  }

  private static Object[] arguments(String command, Path out) {
    Path none = place.at("none");
    if (command.equals("merge-shards")) {
      return new Object[] {command, "--out", out, none};
    }
    List<Object> words =
        new ArrayList<>(List.of(command, "--model", none, "--out", out));
    if (!command.equals("merge")) {
      words.addAll(List.of("--data", none));
    }
    if (!command.equals("train") && !command.equals("assess")) {
      words.addAll(List.of("--adapter", none));
    }
    switch (command) {
      case "assess" ->
          words.addAll(List.of("--original", none, "--unlearned", none, "--retrained", none, "--forget", "1"));
      case "hvp" -> words.addAll(List.of("--vector", none));
      case "influence" -> words.addAll(List.of("--query", none));
      case "unlearn" -> words.addAll(List.of("--forget", "1"));
      default -> {}
    }
    return words.toArray();
  }
}
