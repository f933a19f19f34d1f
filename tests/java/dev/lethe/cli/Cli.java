package dev.lethe.cli;

import dev.lethe.cli.terminal.Console;
import dev.lethe.session.Interrupt;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Runs commands in this process, as the program would. */
public final class Cli {
  private Cli() {}

  /**
   * How a command ended.
   *
   * @param out standard output
   * @param err standard error
   */
  public record Ended(int code, String out, String err) {
    List<String> lines() {
      return out.lines().toList();
    }

    @Override
    public String toString() {
      return "exit code " + code + "\n--- out\n" + out + "--- err\n" + err;
    }
  }

  public static Ended run(Object... args) {
    return run(new Interrupt(), args);
  }

  public static Ended run(Interrupt interrupt, Object... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    String[] words = new String[args.length];
    for (int i = 0; i < args.length; i++) {
      words[i] = args[i].toString();
    }
    int code =
        Main.run(
            words,
            new Console(
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                false,
                interrupt));
    return new Ended(
        code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }
}
