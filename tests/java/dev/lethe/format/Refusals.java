package dev.lethe.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.lethe.format.FormatException.Kind;
import java.nio.file.Path;
import org.junit.jupiter.api.function.Executable;

/** What the tests of this package have in common. */
public final class Refusals {
  private Refusals() {}

  /** A file of the test resources. */
  public static Path resource(String name) {
    return Path.of("tests", "resources").resolve(name);
  }

  /** Runs what must fail in the given way, and returns the complaint. */
  public static FormatException refusal(Kind kind, Executable action) {
    FormatException e = assertThrows(FormatException.class, action);
    assertEquals(kind, e.kind(), e.getMessage());
    return e;
  }
}
