package dev.lethe.tensor;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * How frozen weights are packed: blocks of consecutive numbers that share scales. A block is expanded in runs of
 * {@value #RUN} numbers by the formulas of the format's own project, each operation rounded to float32, so that the
 * floats are the same to the bit. The cases are in {@link Ggml} and {@link NormalFloat}.
 */
public abstract class BlockFormat {
  /** Numbers that are expanded at a time; every block has a multiple of them. */
  public static final int RUN = 32;

  static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final int elements;
  private final int bytes;

  /**
   * @param elements numbers of a block
   * @param bytes of a block
   */
  BlockFormat(int elements, int bytes) {
    this.elements = elements;
    this.bytes = bytes;
  }

  /** Numbers of a block. */
  public int elements() {
    return elements;
  }

  /** Bytes of a block. */
  public int bytes() {
    return bytes;
  }

  /**
   * Writes numbers as floats.
   *
   * @param from blocks, from the segment's begin on
   * @param first the first number, a multiple of {@value #RUN}
   * @param count a multiple of {@value #RUN}
   * @param to floats out, from {@code offset} on in bytes
   */
  public final void expand(MemorySegment from, long first, int count, MemorySegment to, long offset) {
    if ((first | count) % RUN != 0) {
      throw new ArgumentException(
          Text.format("numbers %d to %d are no whole runs of %d", first, first + count, RUN));
    }
    for (int i = 0; i < count; i += RUN) {
      long at = first + i;
      expandRun(from, at / elements * bytes, (int) (at % elements) / RUN, to, offset + 4L * i);
    }
  }

  /** Whether the scales of the block at a byte are finite, and with them all its numbers. */
  public abstract boolean finite(MemorySegment from, long block);

  /**
   * Writes one run of a block.
   *
   * @param block where it begins, in bytes
   * @param run its number within the block
   */
  abstract void expandRun(MemorySegment from, long block, int run, MemorySegment to, long offset);

  /** The bits of a float16. */
  static short bits16(MemorySegment from, long at) {
    return from.get(SHORT, at);
  }

  static float float16(MemorySegment from, long at) {
    return Float.float16ToFloat(bits16(from, at));
  }

  static int unsigned(MemorySegment from, long at) {
    return Byte.toUnsignedInt(from.get(ValueLayout.JAVA_BYTE, at));
  }

  static int signed(MemorySegment from, long at) {
    return from.get(ValueLayout.JAVA_BYTE, at);
  }

  static boolean finite16(MemorySegment from, long at) {
    return (~bits16(from, at) & 0x7C00) != 0;
  }
}
