package dev.lethe.format;

import dev.lethe.format.FormatException.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Recognises the small text file that Git-LFS leaves where a large file was not fetched. */
final class LfsPointer {
  private static final byte[] PREFIX =
      "version https://git-lfs.github.com/spec/".getBytes(StandardCharsets.US_ASCII);

  /** Bytes from the start of a file that decide. */
  static final int LENGTH = PREFIX.length;

  private LfsPointer() {}

  /** Throws where the file's first bytes are those of a pointer. */
  static void refuse(Path file, ByteBuffer head) {
    if (ByteBuffer.wrap(PREFIX).equals(head)) {
      throw Place.of(file).refuse(
          Kind.LFS_POINTER, "this is a Git-LFS pointer, not the file itself", "the file's contents",
          "a pointer of a few lines");
    }
  }
}
