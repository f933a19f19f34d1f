package dev.lethe.format.gguf;

import dev.lethe.ArgumentException;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Writes GGUF files of version 3, whole or not at all; the bytes depend on the arguments only. */
public final class GgufWriter {
  private static final int CHUNK = 1 << 20;
  private static final int ALIGNMENT = GgufHeader.DEFAULT_ALIGNMENT;

  private GgufWriter() {}

  /**
   * Writes a file.
   *
   * @param metadata by key, in order: Integer (stored as u32), Long (i64), Float, Boolean, String, or a List of one of
   *     these kinds
   * @param tensors by name, in order, outermost axis first, of types that GGUF has
   */
  public static void write(Path path, Map<String, Object> metadata, Map<String, Tensor> tensors) {
    Bytes head = new Bytes();
    head.int32(GgufHeader.MAGIC).int32(GgufHeader.VERSION);
    head.int64(tensors.size()).int64(metadata.size());
    metadata.forEach((key, value) -> head.string(key).value(value));
    long at = 0;
    for (Map.Entry<String, Tensor> named : tensors.entrySet()) {
      Tensor tensor = named.getValue();
      head.string(named.getKey()).int32(tensor.shape().rank());
      for (int axis = tensor.shape().rank() - 1; axis >= 0; axis--) {
        head.int64(tensor.dim(axis));
      }
      head.int32(GgufType.of(tensor.dtype()).number()).int64(at);
      at = GgufHeader.aligned(at + tensor.byteSize(), ALIGNMENT);
    }
    head.pad();
    AtomicFiles.write(
        path,
        channel -> {
          writeFully(channel, ByteBuffer.wrap(head.out.toByteArray()));
          ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
          for (Tensor tensor : tensors.values()) {
            writeTensor(channel, tensor.segment(), chunk);
          }
        });
  }

  private static void writeTensor(FileChannel channel, MemorySegment bytes, ByteBuffer chunk)
      throws IOException {
    MemorySegment window = MemorySegment.ofBuffer(chunk.clear());
    for (long at = 0; at < bytes.byteSize(); at += CHUNK) {
      int count = (int) Math.min(CHUNK, bytes.byteSize() - at);
      MemorySegment.copy(bytes, at, window, 0, count);
      writeFully(channel, chunk.clear().limit(count));
    }
    int padding = (int) (GgufHeader.aligned(bytes.byteSize(), ALIGNMENT) - bytes.byteSize());
    writeFully(channel, ByteBuffer.allocate(padding));
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** A header that grows. */
  private static final class Bytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Bytes int32(int value) {
      out.writeBytes(little(4).putInt(value).array());
      return this;
    }

    Bytes int64(long value) {
      out.writeBytes(little(8).putLong(value).array());
      return this;
    }

    Bytes string(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      int64(utf8.length);
      out.writeBytes(utf8);
      return this;
    }

    void value(Object value) {
      if (value instanceof List<?> list) {
        int32(9).int32(list.isEmpty() ? 8 : type(list.getFirst())).int64(list.size());
        list.forEach(this::bare);
      } else {
        int32(type(value));
        bare(value);
      }
    }

    private static int type(Object value) {
      return switch (value) {
        case Integer _ -> 4;
        case Float _ -> 6;
        case Boolean _ -> 7;
        case String _ -> 8;
        case Long _ -> 11;
        default -> throw new ArgumentException("GGUF metadata cannot hold " + value);
      };
    }

    private void bare(Object value) {
      switch (value) {
        case Integer i -> int32(i);
        case Float f -> int32(Float.floatToRawIntBits(f));
        case Boolean b -> out.write(b ? 1 : 0);
        case String s -> string(s);
        case Long l -> int64(l);
        default -> throw new ArgumentException("GGUF metadata cannot hold " + value);
      }
    }

    void pad() {
      while (out.size() % ALIGNMENT != 0) {
        out.write(0);
      }
    }

    private static ByteBuffer little(int bytes) {
      return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
  }
}
