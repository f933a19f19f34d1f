package dev.lethe.data;

import dev.lethe.format.ForeignFile;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** The bytes of a data set: of a file, of a named pipe, or of standard input, which is called {@code -}. Read once. */
final class DataBytes {
  private static final long MAX_BYTES = 1L << 30;
  private static final String STANDARD_INPUT = "-";
  private static final byte[] MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

  private DataBytes() {}

  /** What a path is called in messages. */
  static String name(Path file) {
    return file.toString().equals(STANDARD_INPUT) ? "standard input" : file.toString();
  }

  /** All bytes, without a byte-order mark of UTF-8. */
  static byte[] read(Path file) {
    byte[] bytes = all(file);
    boolean marked = bytes.length >= MARK.length && Arrays.equals(bytes, 0, MARK.length, MARK, 0, MARK.length);
    return marked ? Arrays.copyOfRange(bytes, MARK.length, bytes.length) : bytes;
  }

  private static byte[] all(Path file) {
    if (file.toString().equals(STANDARD_INPUT)) {
      return stream(file, new FileInputStream(FileDescriptor.in));
    }
    if (!Files.exists(file) || Files.isRegularFile(file) || Files.isDirectory(file)) {
      return StrictJson.readBytes(file, MAX_BYTES);
    }
    try (InputStream in = Files.newInputStream(file)) {
      return stream(file, in);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private static byte[] stream(Path file, InputStream in) {
    try {
      byte[] bytes = in.readNBytes((int) MAX_BYTES + 1);
      if (bytes.length > MAX_BYTES) {
        throw new Place(name(file)).refuse(
            Kind.TOO_LARGE, "it gives more than a data set may have", "at most " + MAX_BYTES + " bytes", "more");
      }
      ByteBuffer head = ByteBuffer.wrap(bytes, 0, Math.min(bytes.length, ForeignFile.HEAD));
      ForeignFile.refuse(Path.of(name(file)), head, null, "JSON in UTF-8");
      return bytes;
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private static RuntimeException unreadable(Path file, IOException e) {
    return new Place(name(file)).refuse(Kind.UNREADABLE, "the system cannot read it", null, e.toString(), e);
  }
}
