package dev.lethe.format.file;

import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Files as read-only memory. Such memory changes with the file, and where the file is cut off, reading it fails with an
 * {@link InternalError}; so each file's size, time and inode are kept and can be asked for again.
 */
public final class MappedFile {
  private static final Queue<Mapping> MAPPINGS = new ConcurrentLinkedQueue<>();

  private MappedFile() {}

  /** All bytes of a file, mapped and not read, until the arena closes. */
  public static MemorySegment open(Path file, Arena arena) throws IOException {
    MAPPINGS.removeIf(mapping -> !mapping.arena.scope().isAlive());
    return Uninterrupted.run(
        () -> {
          try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            MAPPINGS.add(new Mapping(file, Identity.of(file), arena));
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
          }
        });
  }

  /** What reads a mapped file; the result closes the arena in its turn. */
  public interface Parser<T> {
    T parse(MemorySegment file, Arena owner) throws IOException;
  }

  /**
   * What a parser makes of a mapped file; where it throws, nothing stays mapped.
   *
   * @param kind of file, for the message that there is none
   */
  public static <T> T parse(Path file, String kind, Parser<T> parser) {
    if (!Files.isRegularFile(file)) {
      throw Place.of(file).refuse(
          Kind.FILE_MISSING, "there is no such " + kind + " file", "a regular file",
          Files.exists(file) ? "something else" : "nothing");
    }
    Arena arena = Arena.ofShared();
    try {
      T parsed = parser.parse(open(file, arena), arena);
      arena = null;
      return parsed;
    } catch (IOException e) {
      throw StrictJson.unreadable(file, e);
    } finally {
      if (arena != null) {
        arena.close();
      }
    }
  }

  /** Throws where a file that is mapped now is not the one any more that was opened; names it. */
  public static void requireUnchanged() {
    MAPPINGS.forEach(Mapping::requireUnchanged);
  }

  private record Mapping(Path file, Identity identity, Arena arena) {
    private void requireUnchanged() {
      Identity now;
      try {
        now = Identity.of(file);
      } catch (IOException e) {
        return; // moved or deleted: its bytes stay as long as they are mapped
      }
      if (!arena.scope().isAlive() || now.equals(identity)) {
        return;
      }
      throw new FormatException(
          Kind.CHANGED, file.toString(), "the file was changed while it was in use", identity.toString(), now.toString(),
          Kind.CHANGED.remedy());
    }
  }

  private record Identity(long size, FileTime time, Object inode) {
    private static Identity of(Path file) throws IOException {
      BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
      return new Identity(attributes.size(), attributes.lastModifiedTime(), Objects.toString(attributes.fileKey()));
    }

    @Override
    public String toString() {
      return Text.format("%,d bytes of %s, %s", size, time, inode);
    }
  }
}
