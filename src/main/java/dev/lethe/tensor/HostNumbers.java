package dev.lethe.tensor;

import dev.lethe.ArgumentException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Numbers of any format in host memory, read and written as Java's. */
final class HostNumbers {
  /** Elements whose format is converted at a time. */
  private static final int AT_A_TIME = 4096;

  private static final ValueLayout.OfDouble F64 =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat F32 =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt I32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong I64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort I16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private HostNumbers() {}

  /** Writes the first n elements in another format. */
  static void convert(MemorySegment from, DType source, MemorySegment to, DType target, long n) {
    int some = (int) Math.min(n, AT_A_TIME);
    boolean narrow = fitsFloat(source) && fitsFloat(target);
    float[] floats = new float[narrow ? some : 0];
    double[] doubles = new double[narrow ? 0 : some];
    for (long i = 0; i < n; i += some) {
      int count = (int) Math.min(n - i, some);
      if (narrow) {
        read(from, source, i, floats, count);
        write(to, target, i, floats, count);
      } else {
        read(from, source, i, doubles, count);
        write(to, target, i, doubles, count);
      }
    }
  }

  private static boolean fitsFloat(DType dtype) {
    return dtype == DType.F32 || dtype == DType.BF16;
  }

  /** Reads n elements from the given one on. */
  static void read(MemorySegment s, DType dtype, long first, double[] values, int n) {
    switch (dtype) {
      case F64 -> MemorySegment.copy(s, F64, first * 8, values, 0, n);
      case F32, BF16 -> {
        float[] floats = new float[n];
        read(s, dtype, first, floats, n);
        for (int i = 0; i < n; i++) {
          values[i] = floats[i];
        }
      }
      default -> {
        if (dtype.isBlocks()) {
          readBlocks(s, dtype.blocks(), first, values, n);
          return;
        }
        for (int i = 0; i < n; i++) {
          values[i] = read(s, dtype, first + i);
        }
      }
    }
  }

  /** The same of a format that fits float. */
  private static void read(MemorySegment s, DType dtype, long first, float[] values, int n) {
    if (dtype == DType.F32) {
      MemorySegment.copy(s, F32, first * 4, values, 0, n);
      return;
    }
    short[] bits = new short[n];
    MemorySegment.copy(s, I16, first * 2, bits, 0, n);
    for (int i = 0; i < n; i++) {
      values[i] = DType.bf16ToFloat(bits[i]);
    }
  }

  private static void readBlocks(
      MemorySegment s, BlockFormat format, long first, double[] values, int n) {
    float[] run = new float[BlockFormat.RUN];
    MemorySegment floats = MemorySegment.ofArray(run);
    for (int i = 0; i < n; ) {
      int within = (int) ((first + i) % BlockFormat.RUN);
      format.expand(s, first + i - within, BlockFormat.RUN, floats, 0);
      for (int j = within; j < run.length && i < n; j++) {
        values[i++] = run[j];
      }
    }
  }

  /** Stores n elements from the given one on. */
  private static void write(MemorySegment s, DType dtype, long first, double[] values, int n) {
    switch (dtype) {
      case F64 -> MemorySegment.copy(values, 0, s, F64, first * 8, n);
      case F32, BF16 -> {
        float[] floats = new float[n];
        for (int i = 0; i < n; i++) {
          floats[i] = (float) values[i];
        }
        write(s, dtype, first, floats, n);
      }
      default -> {
        for (int i = 0; i < n; i++) {
          write(s, dtype, first + i, values[i]);
        }
      }
    }
  }

  /** The same in a format that fits float. */
  private static void write(MemorySegment s, DType dtype, long first, float[] values, int n) {
    if (dtype == DType.F32) {
      MemorySegment.copy(values, 0, s, F32, first * 4, n);
      return;
    }
    short[] bits = new short[n];
    for (int i = 0; i < n; i++) {
      bits[i] = DType.floatToBf16(values[i]);
    }
    MemorySegment.copy(bits, 0, s, I16, first * 2, n);
  }

  /** One element. */
  static double read(MemorySegment s, DType dtype, long i) {
    return switch (dtype) {
      case F64 -> s.get(F64, i * 8);
      case F32 -> s.get(F32, i * 4);
      case F16 -> Float.float16ToFloat(s.get(I16, i * 2));
      case BF16 -> DType.bf16ToFloat(s.get(I16, i * 2));
      case I64, U64 -> s.get(I64, i * 8);
      case I32 -> s.get(I32, i * 4);
      case U32 -> Integer.toUnsignedLong(s.get(I32, i * 4));
      case I16 -> s.get(I16, i * 2);
      case U16 -> Short.toUnsignedInt(s.get(I16, i * 2));
      case I8 -> s.get(ValueLayout.JAVA_BYTE, i);
      case U8, BOOL -> Byte.toUnsignedInt(s.get(ValueLayout.JAVA_BYTE, i));
      case Q8_0, Q4_0, Q4_K, Q6_K, NF4, NF4_F16, NF4_BF16 -> {
        double[] value = new double[1];
        readBlocks(s, dtype.blocks(), i, value, 1);
        yield value[0];
      }
    };
  }

  /** Stores one element, rounded to its format. */
  static void write(MemorySegment s, DType dtype, long i, double value) {
    switch (dtype) {
      case F64 -> s.set(F64, i * 8, value);
      case F32 -> s.set(F32, i * 4, (float) value);
      case F16 -> s.set(I16, i * 2, Float.floatToFloat16((float) value));
      case BF16 -> s.set(I16, i * 2, DType.floatToBf16((float) value));
      case I64, U64 -> s.set(I64, i * 8, (long) value);
      case I32, U32 -> s.set(I32, i * 4, (int) (long) value);
      case I16, U16 -> s.set(I16, i * 2, (short) (long) value);
      case I8, U8, BOOL -> s.set(ValueLayout.JAVA_BYTE, i, (byte) (long) value);
      case Q8_0, Q4_0, Q4_K, Q6_K, NF4, NF4_F16, NF4_BF16 ->
          throw new ArgumentException("cannot store single numbers in blocks of " + dtype);
    }
  }
}
