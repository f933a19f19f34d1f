package dev.lethe.cli;

import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** A tiny model and rows enough for README's examples, which make an adapter forget rows 17 and 42. */
final class ReadmePlace {
  /** A key of rows, for runs whose bytes are compared. */
  static final String KEY = "00112233445566778899aabbccddeeff";

  final Path dir;
  final Path model;
  final Path data;
  final Path key;

  ReadmePlace(Path dir) throws IOException {
    this.dir = dir;
    this.model = TinyModels.writeFolder(dir.resolve("model"), TinyModels.Dims.DEFAULT, 1);
    List<String> rows =
        IntStream.range(0, 44)
            .mapToObj(i -> row(3 + i % 20, 3 + i * 7 % 19, 3 + i % 7))
            .toList();
    this.key = Files.writeString(dir.resolve("row_key"), KEY + "\n");
    this.data = Files.write(dir.resolve("rows.jsonl"), rows);
  }

  private static String row(int a, int b, int answer) {
    return "{\"input_ids\":[1,%d,%d,%d],\"labels\":[-100,-100,-100,%3$d]}".formatted(a, b, answer);
  }

  /** README's training, small. */
  Path trained(Object... more) {
    Path out = dir.resolve("adapter");
    List<Object> words =
        new ArrayList<>(
            List.of(
                "train", "--model", model, "--data", data, "--out", out, "--rank", 2, "--lr", "0.01",
                "--epochs", 3, "--batch", 8, "--targets", "down_proj"));
    words.addAll(List.of(more));
    Workplace.ok(words.toArray());
    return out;
  }

  /** README's command. */
  Path byCommand(Path adapter) {
    Path out = dir.resolve("by-command");
    Workplace.ok(
        "unlearn", "--model", model, "--adapter", adapter, "--data", data, "--forget", "17,42",
        "--out", out);
    return out;
  }
}
