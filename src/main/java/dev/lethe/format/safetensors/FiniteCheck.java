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
import java.util.OptionalLong;
import java.util.stream.LongStream;

/**
 * Finds weights that are NaN or infinite before they spread through everything computed from them.
 */
public final class FiniteCheck {
  private static final ValueLayout.OfLong I64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Bytes that a thread looks at before it takes others. */
  private static final long PIECE = 1 << 20;

  private FiniteCheck() {}

  /**
   * Throws {@link FormatException} with the first element that is not finite. Reads every byte
   * once, on all processors.
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

  private static long firstNotFinite(MemorySegment bytes, DType dtype, long elements) {
    Exponents exponents = Exponents.of(dtype);
    if (exponents == null) {
      return -1;
    }
    long size = dtype.bytes();
    OptionalLong piece =
        LongStream.range(0, Math.ceilDiv(bytes.byteSize(), PIECE))
            .parallel()
            .filter(i -> !exponents.finite(piece(bytes, i * PIECE, PIECE)))
            .findFirst();
    if (piece.isEmpty()) {
      return -1;
    }
    long element = piece.getAsLong() * PIECE / size;
    while (exponents.finite(piece(bytes, element * size, size))) {
      element++;
    }
    return element;
  }

  private static MemorySegment piece(MemorySegment bytes, long first, long length) {
    return bytes.asSlice(first, Math.min(length, bytes.byteSize() - first));
  }

  /**
   * Where the exponents of the numbers in eight bytes lie. A number is not finite where all bits of its exponent are
   * set; then, and only then, adding one to the exponent carries into the sign's place.
   *
   * @param bits of the exponents
   * @param ones the lowest bit of each
   */
  private record Exponents(long bits, long ones) {
    /** Null of a format without infinities. */
    static Exponents of(DType dtype) {
      return switch (dtype) {
        case F64 -> new Exponents(0x7FF0_0000_0000_0000L, 0x0010_0000_0000_0000L);
        case F32 -> new Exponents(0x7F80_0000_7F80_0000L, 0x0080_0000_0080_0000L);
        case F16 -> new Exponents(0x7C00_7C00_7C00_7C00L, 0x0400_0400_0400_0400L);
        case BF16 -> new Exponents(0x7F80_7F80_7F80_7F80L, 0x0080_0080_0080_0080L);
        default -> null;
      };
    }

    boolean finite(MemorySegment numbers) {
      int whole = (int) (numbers.byteSize() / Long.BYTES);
      long carried = 0;
      for (int i = 0; i < whole; i++) {
        carried |= (numbers.get(I64, 8L * i) & bits) + ones;
      }
      long[] rest = {0};
      long done = 8L * whole;
      MemorySegment.copy(numbers, done, MemorySegment.ofArray(rest), 0, numbers.byteSize() - done);
      carried |= (rest[0] & bits) + ones;
      long signs = bits + ones;
      return (carried & signs) == 0;
    }
  }
}
