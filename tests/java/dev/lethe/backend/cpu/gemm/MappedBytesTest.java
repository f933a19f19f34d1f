package dev.lethe.backend.cpu.gemm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.backend.cpu.primitive.CpuLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MappedBytesTest {
  private static final int SIZE = 300_001;

  @TempDir Path folder;
  private Path file;
  private final byte[] bytes = new byte[SIZE];

  @BeforeEach
  void write() throws IOException {
    assumeTrue(CpuLibrary.found().symbols() != null, "no native functions here");
    new Random(1).nextBytes(bytes);
    file = Files.write(folder.resolve("bytes"), bytes);
  }

  @Test
  void areThoseOfTheFile() throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment mapped = mapped(arena);
      MemorySegment copy = arena.allocate(SIZE);
      for (int[] part : new int[][] {{0, SIZE}, {5, 1}, {4095, 4098}, {SIZE - 3, 3}}) {
        MappedBytes.Place place = MappedBytes.of(mapped, part[0], part[1], copy);
        byte[] got = place.segment().asSlice(place.offset(), part[1]).toArray(ValueLayout.JAVA_BYTE);
        assertArrayEquals(mapped.asSlice(part[0], part[1]).toArray(ValueLayout.JAVA_BYTE), got);
      }
      assertThrows(IndexOutOfBoundsException.class, () -> MappedBytes.of(mapped, 1, SIZE, copy));
      assertThrows(IndexOutOfBoundsException.class, () -> MappedBytes.of(mapped, 0, 8, copy.asSlice(0, 7)));
    }
  }

  @Test
  void areLeftWhereNoFileIsMapped() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(64);
      MappedBytes.Place place = MappedBytes.of(memory, 8, 8, null);
      assertSame(memory, place.segment());
      assertEquals(8, place.offset());
    }
  }

  /** A signal would end the process. */
  @Test
  void areAnErrorWhereTheFileWasCutOff() throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment mapped = mapped(arena);
      MemorySegment copy = arena.allocate(SIZE);
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.truncate(4096);
      }
      assertThrows(InternalError.class, () -> MappedBytes.of(mapped, 0, SIZE, copy));
      assertThrows(InternalError.class, () -> MappedBytes.of(mapped, 100_000, 10, copy));
    }
  }

  private MemorySegment mapped(Arena arena) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, SIZE, arena);
    }
  }
}
