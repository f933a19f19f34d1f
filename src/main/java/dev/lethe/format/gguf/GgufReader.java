package dev.lethe.format.gguf;

import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads the header of a GGUF file from front to back; nothing is allocated that the file's own bytes do not pay for.
 */
final class GgufReader {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long MOST = 1 << 28;
  private static final int STRING = 8;
  private static final int ARRAY = 9;
  private static final int[] SIZES = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

  private final MemorySegment file;
  private final Place where;
  private long at;

  GgufReader(MemorySegment file, Place where) {
    this.file = file;
    this.where = where;
  }

  long position() {
    return at;
  }

  int int32() {
    return file.get(INT, take(4));
  }

  long int64() {
    return file.get(LONG, take(8));
  }

  /** A count of things that take at least so many bytes each. */
  int count(String what, int leastBytes) {
    long count = int64();
    if (count < 0 || count > (file.byteSize() - at) / leastBytes || count > MOST) {
      throw where.refuse(
          Kind.TRUNCATED, "the file is too short for its " + what,
          Math.min(MOST, (file.byteSize() - at) / leastBytes) + " at most", Long.toUnsignedString(count));
    }
    return Math.toIntExact(count);
  }

  String string(String what) {
    int length = count(what, 1);
    return StrictJson.decode(file.asSlice(take(length), length).asByteBuffer(), where + ": " + what);
  }

  /** A value: Long, Double, Boolean, String, or a List of these. */
  Object value(String key) {
    int type = int32();
    return type == ARRAY ? array(key) : single(type, key);
  }

  private List<Object> array(String key) {
    int type = int32();
    if (type == ARRAY) {
      throw refused(key, "an array of arrays");
    }
    requireKnown(type, key);
    int count = count("array " + Text.quote(key), SIZES[type]);
    List<Object> values = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      values.add(single(type, key));
    }
    return values;
  }

  private Object single(int type, String key) {
    requireKnown(type, key);
    if (type == STRING) {
      return string(Text.quote(key));
    }
    long from = take(SIZES[type]);
    return switch (type) {
      case 0 -> (long) Byte.toUnsignedInt(file.get(ValueLayout.JAVA_BYTE, from));
      case 1 -> (long) file.get(ValueLayout.JAVA_BYTE, from);
      case 2 -> (long) Short.toUnsignedInt(file.get(SHORT, from));
      case 3 -> (long) file.get(SHORT, from);
      case 4 -> Integer.toUnsignedLong(file.get(INT, from));
      case 5 -> (long) file.get(INT, from);
      case 6 -> (double) Float.intBitsToFloat(file.get(INT, from));
      case 7 -> file.get(ValueLayout.JAVA_BYTE, from) != 0;
      case 12 -> Double.longBitsToDouble(file.get(LONG, from));
      default -> unsigned(type, file.get(LONG, from), key);
    };
  }

  private long unsigned(int type, long value, String key) {
    if (type == 10 && value < 0) {
      throw refused(key, Long.toUnsignedString(value));
    }
    return value;
  }

  private void requireKnown(int type, String key) {
    if (type < 0 || type >= SIZES.length) {
      throw refused(key, "a value of type " + Integer.toUnsignedString(type));
    }
  }

  private FormatException refused(String key, String got) {
    return where.in("metadata " + Text.quote(key)).refuse(
        Kind.WRONG_TYPE, "its value is of no known kind", "numbers, flags, strings or lists of these", got);
  }

  private long take(long bytes) {
    if (bytes > file.byteSize() - at) {
      throw where.refuse(
          Kind.TRUNCATED, "the file ends within its header", "more than " + file.byteSize() + " bytes", null);
    }
    long from = at;
    at += bytes;
    return from;
  }
}
