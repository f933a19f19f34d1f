package dev.lethe.trajectory;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.format.FormatException;
import dev.lethe.format.file.Uninterrupted;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Appends vectors (P) to a file, rounded to the file's number format, through one direct buffer. A thread
 * of its own rounds and writes a vector while the next one is computed.
 */
final class GradientFile implements AutoCloseable {
  private static final int CHUNK = 1 << 17;

  /**
   * Bytes after which the writing thread waits for the disk, so that a checkpoint has little left to wait
   * for.
   */
  private static final long FORCED = 1 << 28;

  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORTS =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLES =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final FileChannel channel;
  private final Backend backend;
  private final DType dtype;
  private final int[] bits = new int[CHUNK];
  private final short[] rounded = new short[CHUNK];
  private final double[] wide;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK * Float.BYTES);
  private final MemorySegment window = MemorySegment.ofBuffer(buffer);
  private final ExecutorService writer =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name("trajectory").factory());
  private CompletableFuture<Void> unwritten = CompletableFuture.completedFuture(null);
  private MemorySegment staging;
  private long unforced;

  /** Opens a file and cuts it to its first bytes. */
  GradientFile(Path file, Backend backend, DType dtype, long length) throws IOException {
    this.file = file;
    this.backend = backend;
    this.dtype = dtype;
    this.wide = backend.vectorType() == DType.F64 ? new double[CHUNK] : null;
    this.channel = Uninterrupted.run(() -> open(file, length));
  }

  private static FileChannel open(Path file, long length) throws IOException {
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    return channel.truncate(length).position(length);
  }

  /** Appends a finite vector of the backend, whose numbers may change as soon as this returns. */
  void append(Tensor vector) {
    await();
    if (staging == null) {
      staging = Arena.ofAuto().allocate(vector.byteSize(), Double.BYTES);
    }
    Tensor copy = Tensor.view(staging, vector.dtype(), Shape.of(vector.elements()));
    backend.download(vector, copy);
    unwritten = CompletableFuture.runAsync(() -> write(copy.elements()), writer);
  }

  /** Waits until everything is written and safe on the disk. */
  void force() {
    await();
    unwritten = CompletableFuture.runAsync(this::forceChannel, writer);
    await();
  }

  private void forceChannel() {
    try {
      channel.force(true);
    } catch (IOException e) {
      throw failed(file, e);
    }
  }

  /** Waits for the writing, too. Closing twice is harmless. */
  @Override
  public void close() throws IOException {
    try (channel;
        writer) {
      await();
    }
  }

  /** Waits for the writing thread; an interrupt waits for the next safe point. */
  private void await() {
    try {
      unwritten.join();
    } catch (CompletionException e) {
      unwritten = CompletableFuture.completedFuture(null);
      throw e.getCause() instanceof LetheException known ? known : new IllegalStateException(e);
    }
  }

  static FormatException failed(Path file, IOException e) {
    return new FormatException(
        FormatException.Kind.WRITE_FAILED,
        file.toString(),
        "the trajectory cannot be written",
        null,
        e.toString(),
        "Make room and go on with --resume, or train with --trajectory off.",
        e);
  }

  private void write(long elements) {
    try {
      for (long at = 0; at < elements; at += CHUNK) {
        int count = (int) Math.min(CHUNK, elements - at);
        readBits(staging, at, count);
        writeBits(count);
      }
      unforced += elements * dtype.bytes();
      if (unforced >= FORCED) {
        channel.force(false);
        unforced = 0;
      }
    } catch (IOException e) {
      throw failed(file, e);
    }
  }

  /** The next elements as bits of float32, in {@link #bits}. */
  private void readBits(MemorySegment host, long at, int count) {
    if (wide == null) {
      MemorySegment.copy(host, INTS, at * Integer.BYTES, bits, 0, count);
      return;
    }
    MemorySegment.copy(host, DOUBLES, at * Double.BYTES, wide, 0, count);
    for (int i = 0; i < count; i++) {
      bits[i] = Float.floatToRawIntBits((float) wide[i]);
    }
  }

  private void writeBits(int count) throws IOException {
    if (dtype == DType.F32) {
      MemorySegment.copy(bits, 0, window, INTS, 0, count);
    } else {
      for (int i = 0; i < count; i++) { // DType.floatToBf16 of finite numbers
        rounded[i] = (short) ((bits[i] + 0x7FFF + ((bits[i] >>> 16) & 1)) >>> 16);
      }
      MemorySegment.copy(rounded, 0, window, SHORTS, 0, count);
    }
    buffer.clear().limit(count * dtype.bytes());
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }
}
