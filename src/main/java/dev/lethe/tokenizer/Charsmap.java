package dev.lethe.tokenizer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Base64;
import java.util.BitSet;
import java.util.Deque;

/**
 * The table of a {@code Precompiled} normalizer, as SentencePiece makes it: a double-array trie (32-bit units of
 * Darts-clone) from texts to places in a list of replacements. The tokenizers library follows it without a check and
 * ends the process where it leads outside.
 */
final class Charsmap {
  private static final int BLOCK = 256;

  private final ByteBuffer units;
  private final int count;
  private final byte[] texts;

  private Charsmap(ByteBuffer units, byte[] texts) {
    this.units = units;
    this.count = units.remaining() / Integer.BYTES;
    this.texts = texts;
  }

  /** What is wrong with a table in Base64; null where nothing is. */
  static String problem(String base64) {
    byte[] bytes;
    try {
      bytes = Base64.getDecoder().decode(base64);
    } catch (IllegalArgumentException e) {
      return "it is not Base64";
    }
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    if (buffer.remaining() < Integer.BYTES) {
      return "it has no length";
    }
    long size = Integer.toUnsignedLong(buffer.getInt());
    if (size > buffer.remaining() || size % Integer.BYTES != 0 || size == 0) {
      return "its trie of " + size + " bytes does not lie within its " + bytes.length + " bytes";
    }
    ByteBuffer units = buffer.slice(Integer.BYTES, (int) size).order(ByteOrder.LITTLE_ENDIAN);
    byte[] texts = new byte[bytes.length - Integer.BYTES - (int) size];
    buffer.position(Integer.BYTES + (int) size).get(texts);
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(texts));
    } catch (CharacterCodingException e) {
      return "its replacements are not UTF-8";
    }
    return new Charsmap(units, texts).problem();
  }

  /** Walks all nodes that any text can reach. */
  private String problem() {
    BitSet seen = new BitSet(count);
    Deque<Integer> bases = new ArrayDeque<>();
    int root = (int) offset(unit(0));
    if (!whole(root)) {
      return "its trie leads outside of itself";
    }
    bases.push(root);
    while (!bases.isEmpty()) {
      int base = bases.pop();
      for (int label = 1; label < BLOCK; label++) {
        int place = base ^ label;
        int unit = unit(place);
        if ((unit & (1 << 31 | 0xFF)) != label || seen.get(place)) {
          continue;
        }
        seen.set(place);
        long next = place ^ offset(unit);
        if (!whole(next)) {
          return "its trie leads outside of itself";
        }
        if ((unit >>> 8 & 1) == 1 && !isStart(unit((int) next) & Integer.MAX_VALUE)) {
          return "its trie leads outside of its replacements";
        }
        bases.push((int) next);
      }
    }
    return null;
  }

  private int unit(int place) {
    return units.getInt(place * Integer.BYTES);
  }

  private static long offset(int unit) {
    return (long) (unit >>> 10) << ((unit & 1 << 9) >>> 6);
  }

  /** Whether every byte leads from a base to a place within the trie. */
  private boolean whole(long base) {
    return base >= 0 && (base | BLOCK - 1) < count;
  }

  /** Whether a character, or the end, is at a place of the replacements. */
  private boolean isStart(int place) {
    return place == texts.length || place < texts.length && (texts[place] & 0xC0) != 0x80;
  }
}
