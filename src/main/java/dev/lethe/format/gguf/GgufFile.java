package dev.lethe.format.gguf;

import dev.lethe.Lifetime;
import dev.lethe.Text;
import dev.lethe.format.ForeignFile;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import dev.lethe.format.file.MappedFile;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Set;

/**
 * A GGUF file, mapped and not copied: the tensors are read-only views with bounds into the mapping and die with
 * {@link #close}. {@link #open} validates everything before a tensor is seen.
 */
public final class GgufFile implements AutoCloseable {
  private final Path path;
  private final Lifetime lifetime;
  private final Arena arena;
  private final MemorySegment file;
  private final GgufHeader header;

  private GgufFile(Path path, Arena arena, MemorySegment file, GgufHeader header) {
    this.path = path;
    this.lifetime = new Lifetime("file " + path);
    this.arena = arena;
    this.file = file;
    this.header = header;
  }

  /** Maps a file. Throws {@link FormatException} where it is not a whole, honest GGUF file. */
  public static GgufFile open(Path path) {
    return MappedFile.parse(
        path,
        "GGUF",
        (file, arena) -> {
          int head = (int) Math.min(file.byteSize(), ForeignFile.HEAD);
          ForeignFile.refuse(path, file.asSlice(0, head).asByteBuffer(), ForeignFile.GGUF, "a GGUF file");
          return new GgufFile(path, arena, file, GgufHeader.parse(file, Place.of(path)));
        });
  }

  public Path path() {
    return path;
  }

  /** Values by key: Long, Double, Boolean, String, or List of these. */
  public Map<String, Object> metadata() {
    lifetime.requireOpen();
    return Collections.unmodifiableMap(header.metadata());
  }

  /** The tensors' names in the order of the file. */
  public Set<String> names() {
    lifetime.requireOpen();
    return Collections.unmodifiableSet(header.tensors().keySet());
  }

  /** A view of one tensor, outermost axis first; it dies with this file. */
  public Tensor get(String name) {
    lifetime.requireOpen();
    GgufHeader.Entry entry = header.tensors().get(name);
    if (entry == null) {
      throw Place.of(path).refuse(
          Kind.UNKNOWN_TENSOR, "there is no such tensor", Text.quote(name), names().size() + " others");
    }
    return Tensor.view(file.asSlice(entry.begin(), entry.bytes()), entry.dtype(), entry.shape());
  }

  /** Unmaps the file. Closing twice is harmless; its tensors must no longer be used. */
  @Override
  public void close() {
    if (lifetime.end()) {
      arena.close();
    }
  }
}
