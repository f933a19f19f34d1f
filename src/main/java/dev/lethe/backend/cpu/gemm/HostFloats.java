package dev.lethe.backend.cpu.gemm;

import dev.lethe.ArgumentException;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Reads numbers of any floating format, wherever they lie in host memory, as floats. */
public final class HostFloats {
  private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfDouble F64 =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort I16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment segment;
  private final DType dtype;
  private final RowPrimitives rows;

  public HostFloats(String what, Tensor host, RowPrimitives rows) {
    if (!host.dtype().isFloating()) {
      throw new ArgumentException(
          what + ": expected a floating format (F64, F32, F16, BF16 or blocks), got " + host);
    }
    this.segment = host.segment();
    this.dtype = host.dtype();
    this.rows = rows;
  }

  /** Whether the numbers are bfloat16 in native memory. */
  boolean lieInBf16() {
    return dtype == DType.BF16 && segment.isNative();
  }

  /** Where bfloat16 numbers are read that nobody needs again soon: a copy in the thread's memory, or in place. */
  MappedBytes.Place bf16(long first, long n, Scratch scratch) {
    MemorySegment copy = segment.isMapped() ? scratch.floats(Scratch.Slot.EXPANDED_ROWS, Math.ceilDiv(n, 2)) : null;
    return MappedBytes.of(segment, 2 * first, 2 * n, copy);
  }

  MemorySegment segment() {
    return segment;
  }

  /** Writes elements {@code first … first+n-1} as floats; of block formats whole runs. */
  public void read(long first, int n, MemorySegment to, long toOffset) {
    switch (dtype) {
      case F32 -> MemorySegment.copy(segment, 4 * first, to, toOffset, 4L * n);
      case F64 -> {
        for (int i = 0; i < n; i++) {
          to.set(F32, toOffset + 4L * i, (float) segment.get(F64, 8 * (first + i)));
        }
      }
      case F16 -> {
        for (int i = 0; i < n; i++) {
          short bits = segment.get(I16, 2 * (first + i));
          to.set(F32, toOffset + 4L * i, Float.float16ToFloat(bits));
        }
      }
      case Q8_0, Q4_0, Q4_K, Q6_K, NF4, NF4_F16, NF4_BF16 ->
          dtype.blocks().expand(segment, first, n, to, toOffset);
      case BF16 -> widen(first, n, to, toOffset);
      default -> throw new IllegalStateException("not floating: " + dtype);
    }
  }

  private void widen(long first, int n, MemorySegment to, long toOffset) {
    if (lieInBf16()) {
      rows.widen(segment, 2 * first, to, toOffset, n);
      return;
    }
    for (int i = 0; i < n; i++) {
      short bits = segment.get(I16, 2 * (first + i));
      to.set(F32, toOffset + 4L * i, DType.bf16ToFloat(bits));
    }
  }
}
