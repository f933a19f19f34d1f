package dev.lethe.cli;

import dev.lethe.Text;
import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;

/** A folder with a tiny random model and data sets of token rows, for commands to work in. */
public final class Workplace {
  public static final int ROWS = 12;

  final Path dir;
  public final Path model;
  public final Path data;

  public Workplace(Path dir) {
    this.dir = dir;
    TinyModels.Dims dims = TinyModels.Dims.DEFAULT;
    model = TinyModels.writeFolder(dir.resolve("model"), dims, 1);
    data = write("data.jsonl", rows(ROWS, 2));
  }

  /** Random token rows with ids {@code row-0 …}. */
  public static List<String> rows(int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    return Stream.iterate(0, i -> i + 1).limit(count).map(i -> row("row-" + i, random)).toList();
  }

  static String row(String id, SplittableRandom random) {
    int a = random.nextInt(3, 23);
    int b = random.nextInt(3, 23);
    int c = random.nextInt(3, 23);
    return Text.format(
        "{\"id\":\"%s\",\"input_ids\":[1,%d,%d,%d,2],\"labels\":[-100,-100,-100,%d,2]}", id, a, b, c, c);
  }

  public Path write(String name, List<String> lines) {
    return write(name, String.join("\n", lines) + "\n");
  }

  public Path write(String name, String text) {
    try {
      Path file = dir.resolve(name);
      Files.createDirectories(file.getParent());
      return Files.writeString(file, text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Path at(String name) {
    return dir.resolve(name);
  }

  /** Trains a small adapter on the reference device. */
  public Path adapter(String name, Object... more) {
    Object[] base = {
      "train", "--model", model, "--data", data, "--out", at(name), "--device", "reference",
      "--rank", 2, "--lr", "0.01", "--epochs", 2, "--batch", 4
    };
    ok(Stream.concat(Stream.of(base), Stream.of(more)).toArray());
    return at(name);
  }

  /** Runs a command that must succeed. */
  public static Ended ok(Object... args) {
    Ended ended = Cli.run(args);
    Assertions.assertEquals(ExitCode.DONE, ended.code(), ended::toString);
    return ended;
  }

  /** The bytes of a file that equal runs leave equal: all, but for the times in the log of a training. */
  static String stable(Path file) throws IOException {
    String text = Files.readString(file, StandardCharsets.ISO_8859_1);
    return file.endsWith("lethe_log.jsonl")
        ? text.replaceAll(",\"seconds\":[^,]*,\"tokens_per_second\":[^}]*", "")
        : text;
  }

  /** Everything in the folder, to see that nothing was left behind. */
  List<Path> listing() {
    try (Stream<Path> all = Files.walk(dir)) {
      return all.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
