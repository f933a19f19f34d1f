package dev.lethe.format.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.Sha256;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files are read and written whole by a thread that was interrupted, and it stays interrupted. */
class UninterruptedTest {
  @TempDir Path dir;

  @BeforeEach
  void interrupt() {
    Thread.currentThread().interrupt();
  }

  @AfterEach
  void clear() {
    Thread.interrupted();
  }

  @Test
  void textIsWritten() throws IOException {
    Path file = dir.resolve("text.json");
    AtomicFiles.writeText(file, "whole");
    assertTrue(Thread.currentThread().isInterrupted());
    assertEquals("whole", Files.readString(file));
  }

  @Test
  void tensorsAreWrittenReadAndHashed() {
    Path file = dir.resolve("a.safetensors");
    float[] values = {1, 2, 3};
    SafeTensors.write(file, Map.of("a", Tensor.of(Shape.of(3), values)), Map.of());
    assertTrue(Thread.currentThread().isInterrupted());
    try (SafeTensors read = SafeTensors.open(file)) {
      assertArrayEquals(new double[] {1, 2, 3}, read.get("a").toDoubles());
    }
    String whileInterrupted = Sha256.start().addFile(file).hex();
    assertTrue(Thread.interrupted());
    assertEquals(Sha256.start().addFile(file).hex(), whileInterrupted);
  }

  @Test
  void aFolderIsCommitted() {
    Path target = dir.resolve("out");
    try (OutputFolder folder = OutputFolder.create(target)) {
      AtomicFiles.writeText(folder.path().resolve("a"), "whole");
      folder.commit();
    }
    assertTrue(Files.exists(target.resolve("a")));
    assertTrue(Thread.currentThread().isInterrupted());
  }
}
