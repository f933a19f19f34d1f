package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.session.Interrupt;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** docs/cli.md knows every command and option, and every command explains itself. */
class CommandReferenceTest {
  private static final CommandLine MAIN =
      Main.commands(
          new Console(
              new PrintStream(OutputStream.nullOutputStream()),
              new PrintStream(OutputStream.nullOutputStream()),
              false,
              new Interrupt()));

  @Test
  void everyCommandAndOptionIsInTheReference() throws IOException {
    String page = Files.readString(Path.of("docs/cli.md"));
    TreeSet<String> missing = new TreeSet<>();
    MAIN.getSubcommands()
        .forEach(
            (name, command) -> {
              if (!page.contains("\n## " + name + "\n")) {
                missing.add(name);
              }
              for (OptionSpec option : command.getCommandSpec().options()) {
                if (!page.contains("`" + option.longestName())
                    && !page.contains(option.longestName() + " ")
                    && !page.contains(option.longestName() + "]")) {
                  missing.add(name + " " + option.longestName());
                }
              }
            });
    assertEquals(new TreeSet<>(), missing);
  }

  @Test
  void everyCommandAndOptionHasADescription() {
    MAIN.getSubcommands()
        .forEach(
            (name, command) -> {
              assertTrue(command.getCommandSpec().usageMessage().description().length > 0, name);
              for (OptionSpec option : command.getCommandSpec().options()) {
                assertTrue(option.description().length > 0, name + " " + option.longestName());
              }
            });
  }

  @Test
  void helpIsAResultAndExitsWithZero() {
    for (String name : MAIN.getSubcommands().keySet()) {
      Cli.Ended ended = Cli.run(name, "--help");
      assertEquals(ExitCode.DONE, ended.code(), name);
      assertTrue(ended.out().contains("Usage: lethe " + name), ended.out());
      assertEquals(List.of(), ended.err().lines().toList(), name);
    }
  }
}
