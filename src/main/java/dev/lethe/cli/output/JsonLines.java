package dev.lethe.cli.output;

import dev.lethe.format.file.AtomicFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Files of JSON Lines, and work in pieces that a progress line can follow. */
public final class JsonLines {
  /** Rows a piece. */
  public static final int PIECE = 32;

  private JsonLines() {}

  /** Writes lines, whole or not at all. */
  public static void write(Path file, List<String> lines) {
    AtomicFiles.writeText(file, String.join("\n", lines) + "\n");
  }

  /** Consecutive pieces of a list. */
  static <T> List<List<T>> chunks(List<T> all) {
    List<List<T>> chunks = new ArrayList<>();
    for (int i = 0; i < all.size(); i += PIECE) {
      chunks.add(all.subList(i, Math.min(all.size(), i + PIECE)));
    }
    return chunks;
  }
}
