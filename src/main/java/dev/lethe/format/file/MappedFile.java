package dev.lethe.format.file;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Files as read-only memory. */
public final class MappedFile {
  private MappedFile() {}

  /** All bytes of a file, mapped and not read, until the arena closes. */
  public static MemorySegment open(Path file, Arena arena) throws IOException {
    return Uninterrupted.run(
        () -> {
          try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
          }
        });
  }
}
