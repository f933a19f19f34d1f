package dev.lethe.format.safetensors;

import dev.lethe.Lifetime;
import dev.lethe.format.ForeignFile;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.MappedFile;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A safetensors file, mapped and not copied: the tensors are read-only views with bounds into the
 * mapping and die with {@link #close}. {@link #open} validates everything before a tensor is seen.
 * Views may begin at any byte; only the file's header decides how they are aligned.
 *
 * <p>Format: {@code u64 n, n bytes of JSON, data}; see the safetensors project's README, "Format".
 */
public final class SafeTensors implements AutoCloseable {
  private static final int LENGTH_BYTES = 8;
  private static final long MAX_BLANK = 1 << 20;
  private static final ValueLayout.OfLong LENGTH =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path path;
  private final Lifetime lifetime;
  private final Arena arena;
  private final MemorySegment data;
  private final SafeTensorsHeader header;

  private SafeTensors(Path path, Arena arena, MemorySegment data, SafeTensorsHeader header) {
    this.path = path;
    this.lifetime = new Lifetime("file " + path);
    this.arena = arena;
    this.data = data;
    this.header = header;
  }

  /**
   * Maps a file. Throws {@link FormatException} where it is not a whole, honest safetensors file.
   */
  public static SafeTensors open(Path path) {
    return MappedFile.parse(path, "safetensors", (file, arena) -> validate(path, arena, file));
  }

  /**
   * Writes tensors, whole or not at all. The bytes depend on the arguments only: tensors lie by
   * falling element size and then by name, so that each is aligned, and metadata is sorted.
   */
  public static void write(Path path, Map<String, Tensor> tensors, Map<String, String> metadata) {
    Map<String, List<Tensor>> parts = new HashMap<>();
    tensors.forEach((name, tensor) -> parts.put(name, List.of(tensor)));
    SafeTensorsWriter.write(path, parts, metadata);
  }

  /**
   * The same for tensors whose parts, at least one, lie in several places and follow one another along the first
   * axis.
   */
  public static void writeParts(Path path, Map<String, List<Tensor>> tensors, Map<String, String> metadata) {
    SafeTensorsWriter.write(path, tensors, metadata);
  }

  /** The tensors' names in the order of the file. */
  public Set<String> names() {
    lifetime.requireOpen();
    return Collections.unmodifiableSet(header.entries().keySet());
  }

  public boolean contains(String name) {
    lifetime.requireOpen();
    return header.entries().containsKey(name);
  }

  /** A view of one tensor; it dies with this file. */
  public Tensor get(String name) {
    lifetime.requireOpen();
    SafeTensorsHeader.Entry entry = header.entries().get(name);
    if (entry == null) {
      throw Place.of(path).refuse(
          Kind.UNKNOWN_TENSOR, "there is no such tensor", "'" + name + "'", names().size() + " others");
    }
    MemorySegment bytes = data.asSlice(entry.begin(), entry.end() - entry.begin());
    return Tensor.view(bytes, entry.dtype(), entry.shape());
  }

  /** The free-form strings of the header. */
  public Map<String, String> metadata() {
    lifetime.requireOpen();
    return Collections.unmodifiableMap(header.metadata());
  }

  public Path path() {
    return path;
  }

  /** Unmaps the file. Closing twice is harmless; its tensors must no longer be used. */
  @Override
  public void close() {
    if (lifetime.end()) {
      arena.close();
    }
  }

  /** Refuses a long header that is mostly white space before it becomes text. */
  private static void requireText(MemorySegment header, String where) {
    long blank = 0;
    for (long i = 0; header.byteSize() > MAX_BLANK && i < header.byteSize(); i++) {
      blank += header.get(ValueLayout.JAVA_BYTE, i) <= ' ' ? 1 : 0;
    }
    if (blank > header.byteSize() / 2) {
      throw new Place(where).refuse(
          Kind.HEADER_LENGTH, "the header is mostly white space", "a header of names, shapes and offsets",
          blank + " blank bytes of " + header.byteSize());
    }
  }

  private static SafeTensors validate(Path path, Arena arena, MemorySegment file) {
    String where = path.toString();
    long size = file.byteSize();
    ByteBuffer head = file.asSlice(0, Math.min(size, ForeignFile.HEAD)).asByteBuffer();
    ForeignFile.refuse(path, head, ForeignFile.SAFETENSORS, "a safetensors file");
    if (size < LENGTH_BYTES) {
      throw new Place(where).refuse(
          Kind.TRUNCATED, "the file is too short for a header", "at least 8 bytes", size + " bytes");
    }
    long length = file.get(LENGTH, 0);
    if (Long.compareUnsigned(length, SafeTensorsHeader.MAX_BYTES) > 0) {
      throw new Place(where).refuse(
          Kind.HEADER_LENGTH, "the header's length is over the limit",
          "at most " + SafeTensorsHeader.MAX_BYTES + " bytes", Long.toUnsignedString(length) + " bytes");
    }
    if (length > size - LENGTH_BYTES) {
      throw new Place(where).refuse(
          Kind.TRUNCATED, "the file ends within its header", length + " bytes of header",
          (size - LENGTH_BYTES) + " bytes");
    }
    MemorySegment headerBytes = file.asSlice(LENGTH_BYTES, length);
    requireText(headerBytes, where);
    String json = StrictJson.decode(headerBytes.asByteBuffer(), where + " (header)");
    MemorySegment data = file.asSlice(LENGTH_BYTES + length);
    SafeTensorsHeader header = SafeTensorsHeader.parse(json, data.byteSize(), new Place(where));
    return new SafeTensors(path, arena, data, header);
  }
}
