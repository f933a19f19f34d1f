package dev.lethe.cli;

import dev.lethe.cli.option.SecondStart;
import dev.lethe.cli.terminal.Console;
import dev.lethe.session.Interrupt;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Runs a few commands on a tiny model in one process: what the launcher's ahead-of-time cache is made from, so that it
 * holds the classes that starts need and what the compiler has learnt of the kernels. {@code bin/lethe --make-cache} calls it.
 */
public final class WarmUp {
  private WarmUp() {}

  /**
   * Ends with an exception where a command fails, or where native code does not do the arithmetic: then the launcher
   * adds the Vector API, with which Java takes no cache.
   *
   * @param args a model's folder with an adapter and samples, a tokenizer's folder, and an absent folder to write to
   */
  public static void main(String[] args) throws IOException {
    Locale.setDefault(Locale.ROOT);
    if (SecondStart.vectorsWouldHelp()) {
      throw new IllegalStateException("the native library of the CPU backend does not run here");
    }
    Path model = Path.of(args[0]);
    Path out = Files.createDirectories(Path.of(args[2]));
    String adapter = model.resolve("adapter").toString();
    String data = model.resolve("samples.jsonl").toString();
    String trained = out.resolve("trained").toString();
    List<List<String>> commands =
        List.of(
            List.of("--help"),
            List.of("generate", "--tokenizer", args[1], "--prompt", "a", "--max-new-tokens", "8", "--ignore-eos"),
            List.of("evaluate", "--adapter", adapter, "--data", data),
            List.of("train", "--data", data, "--epochs", "8", "--batch", "1", "--trajectory", "on", "--out", trained),
            List.of("prepare", "--adapter", trained, "--data", data, "--sketch-rows", "64"),
            List.of(
                "unlearn", "--adapter", trained, "--data", data, "--forget", "0", "--method", "recorded", "--force",
                "--out", out.resolve("replayed").toString()),
            List.of(
                "unlearn", "--adapter", adapter, "--data", data, "--forget", "0", "--method", "influence",
                "--max-iterations", "3", "--out", out.resolve("unlearned").toString()));
    for (List<String> command : commands) {
      run(command, model);
    }
    writeHelp(Files.createDirectories(out.resolve("help")));
  }

  /** Writes what {@code --help} prints, for the launcher: the program's as {@code lethe.txt}, and each command's. */
  static void writeHelp(Path folder) throws IOException {
    writeHelp(folder.resolve("lethe.txt"), "--help");
    for (String command : Main.names()) {
      writeHelp(folder.resolve(command + ".txt"), command, "--help");
    }
  }

  private static void writeHelp(Path file, String... words) throws IOException {
    try (PrintStream text = new PrintStream(Files.newOutputStream(file), true, StandardCharsets.UTF_8)) {
      Main.run(words, new Console(text, System.err, false, new Interrupt()));
    }
  }

  private static void run(List<String> command, Path model) {
    PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream());
    Console console = new Console(nowhere, System.err, false, new Interrupt());
    boolean computes = command.size() > 1;
    String[] words =
        computes
            ? Stream.concat(
                    command.stream(), Stream.of("--model", model.toString(), "--quiet"))
                .toArray(String[]::new)
            : command.toArray(String[]::new);
    int code = Main.run(words, console);
    if (code != 0) {
      throw new IllegalStateException(String.join(" ", words) + " ended with " + code);
    }
  }
}
