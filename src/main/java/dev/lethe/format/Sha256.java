package dev.lethe.format;

import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/**
 * Content hashes for records and certificates. Every part is preceded by its length, so that no two
 * different sequences of parts hash alike.
 */
public final class Sha256 {
  private static final int CHUNK = 1 << 20;
  private static final int SHORTEST_CHUNK = 1 << 13;

  private final MessageDigest digest;

  private Sha256() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /** An empty hash to add parts to. */
  public static Sha256 start() {
    return new Sha256();
  }

  /** The hash of several files' names and contents in the given order, in hex. */
  public static String ofFiles(List<Path> files) {
    Sha256 hash = start();
    for (Path file : files) {
      hash.add(file.getFileName().toString()).addFile(file);
    }
    return hash.hex();
  }

  /** The hash of a file's bytes alone, as {@code sha256sum} prints it. */
  public static String ofBytes(Path file) {
    Sha256 hash = start();
    hash.updateFrom(file, false);
    return hash.hex();
  }

  /** Adds a text. */
  public Sha256 add(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    addLength(bytes.length);
    digest.update(bytes);
    return this;
  }

  /** Adds a list of integers. */
  public Sha256 add(int[] values) {
    addLength(values.length);
    ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(values.length, Integer.BYTES));
    bytes.asIntBuffer().put(values);
    digest.update(bytes);
    return this;
  }

  /** Adds the bytes of a host tensor. */
  public Sha256 add(Tensor host) {
    MemorySegment bytes = host.segment();
    addLength(bytes.byteSize());
    for (long at = 0; at < bytes.byteSize(); at += CHUNK) {
      long size = Math.min(CHUNK, bytes.byteSize() - at);
      digest.update(bytes.asSlice(at, size).toArray(ValueLayout.JAVA_BYTE));
    }
    return this;
  }

  /** Adds a file's contents. */
  public Sha256 addFile(Path file) {
    updateFrom(file, true);
    return this;
  }

  private void updateFrom(Path file, boolean withLength) {
    try (InputStream in = Files.newInputStream(file)) {
      long size = Files.size(file);
      if (withLength) {
        addLength(size);
      }
      byte[] chunk = new byte[Math.clamp(size, SHORTEST_CHUNK, CHUNK)];
      for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
        digest.update(chunk, 0, count);
      }
    } catch (IOException e) {
      throw StrictJson.unreadable(file, e);
    }
  }

  /** The hash of everything added, in hex; the object cannot be used afterwards. */
  public String hex() {
    return HexFormat.of().formatHex(digest.digest());
  }

  /** The first 64 bits of the hash; the object cannot be used afterwards. */
  public long first64Bits() {
    return ByteBuffer.wrap(digest.digest()).getLong();
  }

  private void addLength(long length) {
    digest.update(ByteBuffer.allocate(Long.BYTES).putLong(0, length));
  }
}
