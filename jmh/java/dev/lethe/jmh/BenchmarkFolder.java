package dev.lethe.jmh;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** A folder of files that is deleted at the end. */
public record BenchmarkFolder(Path path) implements AutoCloseable {
  /** A new one. */
  public static BenchmarkFolder make() {
    try {
      return new BenchmarkFolder(Files.createTempDirectory("lethe-jmh"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try (Stream<Path> files = Files.list(path)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
      Files.delete(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
