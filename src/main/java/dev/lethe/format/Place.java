package dev.lethe.format;

import dev.lethe.format.FormatException.Kind;
import java.nio.file.Path;

/**
 * A place in a file or a folder, which complaints name.
 *
 * @param where in words, with the file first
 */
public record Place(String where) {
  public static Place of(Path file) {
    return new Place(file.toString());
  }

  /** A part of this place. */
  public Place in(String part) {
    return new Place(where + ": " + part);
  }

  /** A complaint with the remedy that its kind usually has. */
  public FormatException refuse(Kind kind, String problem, String expected, String got) {
    return refuse(kind, problem, expected, got, null);
  }

  /** The same with the failure underneath. */
  public FormatException refuse(
      Kind kind, String problem, String expected, String got, Throwable cause) {
    return new FormatException(kind, where, problem, expected, got, kind.remedy(), cause);
  }

  @Override
  public String toString() {
    return where;
  }
}
