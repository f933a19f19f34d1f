package dev.lethe.assess.metric;

import java.nio.charset.StandardCharsets;
import java.util.zip.Deflater;

/**
 * A loss in relation to how far the text can be compressed (Carlini et al., arXiv 2012.07805): a text may be likely
 * because it is plain and not because it was trained on.
 */
public final class Zlib {
  private Zlib() {}

  /**
   * Minus the loss over the number of bytes that zlib makes of the text; higher means likelier to have been trained
   * on.
   */
  public static double score(double loss, String text) {
    return -loss / compressedBytes(text);
  }

  /** As Python's {@code len(zlib.compress(text.encode()))}. */
  static int compressedBytes(String text) {
    Deflater deflater = new Deflater();
    try {
      deflater.setInput(text.getBytes(StandardCharsets.UTF_8));
      deflater.finish();
      byte[] chunk = new byte[1 << 13];
      int size = 0;
      while (!deflater.finished()) {
        size += deflater.deflate(chunk);
      }
      return size;
    } finally {
      deflater.end();
    }
  }
}
