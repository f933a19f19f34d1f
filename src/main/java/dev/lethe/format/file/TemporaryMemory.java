package dev.lethe.format.file;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;

/** Host memory in an unnamed file on the disk of temporary files, which goes when this closes or the process ends. */
public final class TemporaryMemory implements AutoCloseable {
  private final Arena arena = Arena.ofShared();
  private final FileChannel channel;
  private long bytes;

  /**
   * Opens the file.
   *
   * @param purpose beginning of its name
   * @throws UncheckedIOException where temporary files cannot be made
   */
  public TemporaryMemory(String purpose) {
    try {
      Path file = Files.createTempFile(purpose, ".bin");
      this.channel =
          FileChannel.open(
              file,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE,
              StandardOpenOption.DELETE_ON_CLOSE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A tensor of zeros, valid until this closes. */
  public Tensor allocate(DType type, Shape shape) {
    long at = bytes;
    long size = Math.multiplyExact(shape.elements(), type.bytes());
    bytes += size;
    // On another thread: an interrupt of this one would close the file.
    MemorySegment segment = CompletableFuture.supplyAsync(() -> map(at, size)).join();
    return Tensor.view(segment, type, shape);
  }

  private MemorySegment map(long at, long size) {
    try {
      return channel.map(FileChannel.MapMode.READ_WRITE, at, size, arena);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    arena.close();
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
