package dev.lethe.format.safetensors;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import dev.lethe.tensor.BlockFormat;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Finds weights that are NaN or infinite before they spread through everything computed from them.
 */
public final class FiniteCheck {
  private static final ValueLayout.OfShort I16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt I32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong I64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private FiniteCheck() {}

  /**
   * Throws {@link FormatException} with the first element that is not finite. Reads every byte
   * once.
   *
   * @param where file and tensor, for the message
   * @param tensor a host tensor; formats without NaN pass
   */
  public static void require(String where, Tensor tensor) {
    long at =
        tensor.dtype().isBlocks()
            ? firstOfBlocks(tensor.segment(), tensor.dtype().blocks(), tensor.elements())
            : firstNotFinite(tensor.segment(), tensor.dtype(), tensor.elements());
    if (at >= 0) {
      throw new Place(where).refuse(
          Kind.NOT_FINITE, "a weight is not finite", "numbers",
          tensor.get(at) + " at element " + at + " of " + tensor);
    }
  }

  /** The first element of the first block whose scales are not finite; −1 where all are. */
  private static long firstOfBlocks(MemorySegment bytes, BlockFormat format, long elements) {
    for (long block = 0; block < elements / format.elements(); block++) {
      if (!format.finite(bytes, block * format.bytes())) {
        return block * format.elements();
      }
    }
    return -1;
  }

  /** A number is not finite where all bits of its exponent are set. */
  private static long firstNotFinite(MemorySegment bytes, DType dtype, long elements) {
    for (long i = 0; i < elements; i++) {
      boolean finite =
          switch (dtype) {
            case F64 -> (~bytes.get(I64, i * 8) & 0x7FF0_0000_0000_0000L) != 0;
            case F32 -> (~bytes.get(I32, i * 4) & 0x7F80_0000) != 0;
            case F16 -> (~bytes.get(I16, i * 2) & 0x7C00) != 0;
            case BF16 -> (~bytes.get(I16, i * 2) & 0x7F80) != 0;
            default -> true;
          };
      if (!finite) {
        return i;
      }
    }
    return -1;
  }
}
