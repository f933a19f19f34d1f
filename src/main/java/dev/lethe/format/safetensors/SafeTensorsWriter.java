package dev.lethe.format.safetensors;

import dev.lethe.ArgumentException;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Writes safetensors files with deterministic bytes. */
final class SafeTensorsWriter {
  private static final int ALIGNMENT = 8;
  private static final int CHUNK = 1 << 20;

  private SafeTensorsWriter() {}

  static void write(Path path, Map<String, List<Tensor>> tensors, Map<String, String> metadata) {
    List<Map.Entry<String, List<Tensor>>> ordered = new ArrayList<>(tensors.entrySet());
    ordered.sort(
        Comparator.comparingInt(
                (Map.Entry<String, List<Tensor>> e) -> -e.getValue().getFirst().dtype().bytes())
            .thenComparing(Map.Entry::getKey));
    byte[] header = header(ordered, metadata);
    AtomicFiles.write(
        path,
        channel -> {
          ByteBuffer start = ByteBuffer.allocate(8 + header.length).order(ByteOrder.LITTLE_ENDIAN);
          writeFully(channel, start.putLong(header.length).put(header).flip());
          ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
          for (Map.Entry<String, List<Tensor>> named : ordered) {
            for (Tensor part : named.getValue()) {
              writeTensor(channel, part.segment(), chunk);
            }
          }
        });
  }

  private static byte[] header(
      List<Map.Entry<String, List<Tensor>>> tensors, Map<String, String> metadata) {
    ObjectNode root = StrictJson.newObject();
    if (!metadata.isEmpty()) {
      ObjectNode strings = root.putObject(SafeTensorsHeader.METADATA);
      new TreeMap<>(metadata).forEach(strings::put);
    }
    long at = 0;
    for (Map.Entry<String, List<Tensor>> named : tensors) {
      List<Tensor> parts = named.getValue();
      Shape whole = whole(parts);
      requireWritable(named.getKey(), whole);
      ObjectNode entry = root.putObject(named.getKey());
      entry.put("dtype", parts.getFirst().dtype().name());
      ArrayNode shape = entry.putArray("shape");
      for (long dim : whole.toArray()) {
        shape.add(dim);
      }
      long end = Math.addExact(at, parts.stream().mapToLong(Tensor::byteSize).sum());
      entry.putArray("data_offsets").add(at).add(end);
      at = end;
    }
    StringBuilder json = new StringBuilder(root.toString());
    while (json.toString().getBytes(StandardCharsets.UTF_8).length % ALIGNMENT != 0) {
      json.append(' ');
    }
    return json.toString().getBytes(StandardCharsets.UTF_8);
  }

  /** The shape of parts that follow one another along the first axis. */
  private static Shape whole(List<Tensor> parts) {
    Tensor first = parts.getFirst();
    if (parts.size() == 1) {
      return first.shape();
    }
    for (Tensor part : parts) {
      if (part.dtype() != first.dtype() || !part.shape().withoutFirst().equals(first.shape().withoutFirst())) {
        throw new ArgumentException("a part of " + part + " follows one of " + first);
      }
    }
    long[] dims = first.shape().toArray();
    dims[0] = parts.stream().mapToLong(part -> part.dim(0)).sum();
    return Shape.of(dims);
  }

  private static void requireWritable(String name, Shape shape) {
    if (name.equals(SafeTensorsHeader.METADATA) || shape.rank() > SafeTensorsHeader.MAX_RANK) {
      throw new ArgumentException("safetensors cannot hold tensor '" + name + "' of shape " + shape);
    }
  }

  /**
   * Copies through one direct buffer, so that heap, mapped and off-heap memory are written alike.
   */
  private static void writeTensor(FileChannel channel, MemorySegment bytes, ByteBuffer chunk)
      throws IOException {
    MemorySegment window = MemorySegment.ofBuffer(chunk.clear());
    for (long at = 0; at < bytes.byteSize(); at += CHUNK) {
      int count = (int) Math.min(CHUNK, bytes.byteSize() - at);
      MemorySegment.copy(bytes, at, window, 0, count);
      writeFully(channel, chunk.clear().limit(count));
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
