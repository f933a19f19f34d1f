package dev.lethe;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The folder of real inputs, which is not part of the project: {@code LETHE_DATA}, or beside the
 * checkout.
 */
public final class RealData {
  private RealData() {}

  /** A file or folder of the real inputs; skips the test where it is absent. */
  public static Path require(String name) {
    String set = System.getProperty("LETHE_DATA", System.getenv("LETHE_DATA"));
    Path path = Path.of(set == null ? "../shared/data" : set).resolve(name);
    assumeTrue(Files.exists(path), () -> "skipped: no " + path + "; point LETHE_DATA at the data");
    return path;
  }
}
