package dev.lethe.replay.prepare;

import dev.lethe.format.FormatException;
import dev.lethe.format.file.Uninterrupted;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Map;

/** Sketch rows while they are made: a mapped file beside their place, so that they need no memory. */
final class SketchBuffer implements AutoCloseable {
  static final String ROWS = "rows";

  private final Path target;
  private final Path temporary;
  private final Arena arena = Arena.ofShared();
  private final Tensor rows;
  private final int[] places;
  private int count;

  /** Room for so many rows of P numbers; the file will be {@code target}. */
  SketchBuffer(Path target, int rows, long parameters) {
    this.target = target;
    this.temporary = target.resolveSibling(target.getFileName() + ".partial");
    this.places = new int[rows];
    Shape shape = Shape.of(rows, parameters);
    long bytes = Math.multiplyExact(shape.elements(), DType.BF16.bytes());
    try {
      this.rows = Tensor.view(Uninterrupted.run(() -> map(bytes)), DType.BF16, shape);
    } catch (IOException e) {
      arena.close();
      throw unwritable(e);
    }
  }

  private MemorySegment map(long bytes) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            temporary,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      return channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
    }
  }

  /** The next row, to be filled by whoever asks, BF16 (P) in host memory. */
  Tensor next(int place) {
    places[count] = place;
    return rows.row(count++);
  }

  /** Writes the rows that were filled, whole or not at all. */
  void commit() {
    int[] filled = Arrays.copyOf(places, count);
    SafeTensors.write(
        target,
        Map.of(ROWS, rows.slice(0, count), OperatorFiles.PLACES, OperatorFiles.places(filled)),
        Map.of());
  }

  @Override
  public void close() {
    arena.close();
    try {
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      throw unwritable(e);
    }
  }

  private FormatException unwritable(IOException e) {
    return new FormatException(
        FormatException.Kind.WRITE_FAILED, temporary.toString(), "cannot be written", null,
        e.toString(), "Make room, or name another folder with --operators", e);
  }
}
