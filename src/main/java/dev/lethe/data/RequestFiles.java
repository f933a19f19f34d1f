package dev.lethe.data;

import dev.lethe.LetheException;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Requests as people write them: ids separated by commas, or {@code @FILE} with one id a line. */
public final class RequestFiles {
  private static final long MAX_BYTES = 1L << 28;

  private RequestFiles() {}

  /**
   * The ids of an option such as {@code --forget}, in order, repetitions kept for {@link RowRequest#of}
   * to refuse.
   *
   * @param spec {@code ID,ID…} or {@code @FILE}; null or blank for none
   */
  public static List<String> ids(String spec) {
    if (spec == null || spec.isBlank()) {
      return List.of();
    }
    if (spec.startsWith("@")) {
      String text = StrictJson.readText(Path.of(spec.substring(1)), MAX_BYTES);
      return text.lines().map(String::strip).filter(line -> !line.isEmpty()).toList();
    }
    List<String> ids = Stream.of(spec.split(",", -1)).map(String::strip).toList();
    if (ids.contains("")) {
      throw new LetheException(
          spec,
          "there is nothing between two commas",
          "ID,ID,… or @FILE with one id a line",
          null,
          "Correct the list; ids that contain commas go into a file.");
    }
    return ids;
  }
}
