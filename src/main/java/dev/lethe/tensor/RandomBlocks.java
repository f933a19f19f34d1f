package dev.lethe.tensor;

import dev.lethe.ArgumentException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.random.RandomGenerator;

/** Packed weights at random, for checks and measurements: every bit pattern but for the scales, which are given. */
public final class RandomBlocks {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private RandomBlocks() {}

  /** Numbers around zero whose deviation is about the given one, on the Java heap. */
  public static Tensor of(DType format, Shape shape, double deviation, RandomGenerator random) {
    byte[] bytes = new byte[Math.toIntExact(format.byteSize(shape.elements()))];
    fill(format, bytes, deviation, random);
    return Tensor.view(MemorySegment.ofArray(bytes), format, shape);
  }

  /** Overwrites whole blocks. */
  public static void fill(DType format, byte[] bytes, double deviation, RandomGenerator random) {
    random.nextBytes(bytes);
    MemorySegment segment = MemorySegment.ofArray(bytes);
    for (long at = 0; at < bytes.length; at += format.blocks().bytes()) {
      float d = (float) (deviation / spread(format));
      switch (format) {
        case Q8_0, Q4_0 -> segment.set(SHORT, at, Float.floatToFloat16(d));
        case Q4_K -> {
          segment.set(SHORT, at, Float.floatToFloat16(d));
          segment.set(SHORT, at + 2, Float.floatToFloat16(7.5f * d));
        }
        case Q6_K -> segment.set(SHORT, at + 208, Float.floatToFloat16(d));
        default -> segment.set(BlockFormat.FLOAT, at, d);
      }
    }
  }

  /** About the deviation of a random block of scale one. */
  private static double spread(DType format) {
    return switch (format) {
      case Q8_0 -> 74;
      case Q4_0 -> 4.6;
      case Q4_K -> 300;
      case Q6_K -> 1370;
      case NF4, NF4_F16, NF4_BF16 -> 0.5;
      default -> throw new ArgumentException(format + " has no blocks");
    };
  }
}
