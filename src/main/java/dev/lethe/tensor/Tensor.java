package dev.lethe.tensor;

import dev.lethe.ArgumentException;
import dev.lethe.ClosedException;
import dev.lethe.Text;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A dense row-major tensor: a shape and a number format over a piece of some {@link Storage}. It owns
 * nothing; its {@link Scope} (or, for a view of foreign memory, the owner of that memory) does. Views
 * by {@link #slice}, {@link #reshape} share the memory. Bytes are little-endian. In block formats the last axis
 * has whole blocks.
 *
 * <p>{@link #columns} of a wider tensor are dense along the last axis only: their rows, over all other axes, lie {@link
 * #stride} elements apart. What cannot be said of such a tensor is refused.
 */
public final class Tensor {
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

  private final Shape shape;
  private final DType dtype;
  private final Storage storage;
  private final long byteOffset;
  private final long stride;
  private final Scope.Tie tie;

  Tensor(Shape shape, DType dtype, Storage storage, long byteOffset, Scope.Tie tie) {
    this(shape, dtype, storage, byteOffset, shape.rank() == 0 ? 1 : shape.dim(-1), tie);
  }

  private Tensor(Shape shape, DType dtype, Storage storage, long byteOffset, long stride, Scope.Tie tie) {
    if (dtype.isBlocks() && shape.rank() > 0) {
      dtype.byteSize(shape.dim(-1));
    }
    this.shape = shape;
    this.dtype = dtype;
    this.storage = storage;
    this.byteOffset = byteOffset;
    this.stride = stride;
    this.tie = tie;
  }

  /** A view of host memory that somebody else keeps alive, for example a mapped file. */
  public static Tensor view(MemorySegment segment, DType dtype, Shape shape) {
    long bytes = dtype.byteSize(shape.elements());
    if (segment.byteSize() != bytes) {
      throw new ArgumentException(
          Text.format("%s%s needs %d bytes, the segment has %d", dtype, shape, bytes, segment.byteSize()));
    }
    return new Tensor(shape, dtype, new HostStorage(segment), 0, null);
  }

  /** A tensor of the given numbers on the Java heap. */
  public static Tensor of(Shape shape, float... values) {
    return view(MemorySegment.ofArray(values), DType.F32, shape);
  }

  /** A tensor of the given numbers on the Java heap. */
  public static Tensor of(Shape shape, double... values) {
    return view(MemorySegment.ofArray(values), DType.F64, shape);
  }

  /** A tensor of the given integers on the Java heap. */
  public static Tensor of(Shape shape, int... values) {
    return view(MemorySegment.ofArray(values), DType.I32, shape);
  }

  public Shape shape() {
    return shape;
  }

  public DType dtype() {
    return dtype;
  }

  public long dim(int axis) {
    return shape.dim(axis);
  }

  public long elements() {
    return shape.elements();
  }

  public long byteSize() {
    return dtype.byteSize(shape.elements());
  }

  /** The storage, checked to be alive. */
  public Storage storage() {
    if (tie != null) {
      tie.requireAlive(this);
    }
    return storage;
  }

  /** Where this tensor begins in its storage, in bytes. */
  public long byteOffset() {
    return byteOffset;
  }

  /** Elements from the beginning of a row to that of the next. */
  public long stride() {
    return stride;
  }

  /** Whether the elements lie one behind the other in memory. */
  public boolean isDense() {
    return shape.rank() == 0 || stride == shape.dim(-1) || shape.rows() <= 1;
  }

  /** Columns {@code first … first+count-1} of every row, sharing memory. */
  public Tensor columns(long first, long count) {
    if (shape.rank() == 0 || dtype.isBlocks() || first < 0 || count < 0 || first > shape.dim(-1) - count) {
      throw new ArgumentException(Text.format("%d columns from column %d on of tensor %s", count, first, this));
    }
    long[] dims = shape.toArray();
    dims[dims.length - 1] = count;
    return new Tensor(Shape.of(dims), dtype, storage, byteOffset + dtype.byteSize(first), stride, tie);
  }

  /** Exactly this tensor's bytes in host memory; throws where the tensor lies on a device, or is not dense. */
  public MemorySegment segment() {
    requireDense("a piece of memory");
    if (storage() instanceof HostStorage host) {
      if (!host.segment().scope().isAlive()) {
        throw new ClosedException("tensor " + this, "the file or backend that it belongs to was closed");
      }
      return host.segment().asSlice(byteOffset, byteSize());
    }
    throw new ArgumentException(
        "tensor " + this + " lies on " + storage.place() + "; download it first (Backend.download)");
  }

  /** Entries {@code first … first+count-1} along the first axis, sharing memory. */
  public Tensor slice(long first, long count) {
    requireRows(first, count);
    if (shape.rank() == 1) {
      return new Tensor(Shape.of(count), dtype, storage, byteOffset + dtype.byteSize(first), tie);
    }
    long[] dims = shape.toArray();
    dims[0] = count;
    return new Tensor(Shape.of(dims), dtype, storage, byteOffset + first * entryBytes(), stride, tie);
  }

  /** Entry {@code index} along the first axis, without that axis. */
  public Tensor row(long index) {
    requireRows(index, 1);
    Shape rest = shape.withoutFirst();
    return rest.rank() == 0
        ? section(index, rest)
        : new Tensor(rest, dtype, storage, byteOffset + index * entryBytes(), stride, tie);
  }

  /** From one entry along the first of several axes to the next. */
  private long entryBytes() {
    return dtype.byteSize(shape.withoutFirst().rows() * stride);
  }

  /** The elements {@code first … first+shape.elements()-1} in memory order under another shape. */
  public Tensor section(long first, Shape part) {
    requireDense("a section");
    if (first < 0 || first > elements() - part.elements()) {
      throw new ArgumentException(
          Text.format("section %s at element %d of tensor %s", part, first, this));
    }
    return new Tensor(part, dtype, storage, byteOffset + dtype.byteSize(first), tie);
  }

  /** All rows, over all other axes, as a matrix, sharing memory. */
  public Tensor asMatrix() {
    return new Tensor(Shape.of(shape.rows(), shape.dim(-1)), dtype, storage, byteOffset, stride, tie);
  }

  /** The same elements under another shape. */
  public Tensor reshape(long... dims) {
    requireDense("another shape");
    Shape other = Shape.of(dims);
    if (other.elements() != elements()) {
      throw new ArgumentException("cannot reshape " + this + " to " + other);
    }
    return new Tensor(other, dtype, storage, byteOffset, tie);
  }

  /** One element of a host tensor in memory order, widened to double. For tests and small data. */
  public double get(long index) {
    requireElement(index);
    return read(segment(), dtype, index);
  }

  /** Stores one element of a host tensor in memory order, rounded to its format. */
  public void set(long index, double value) {
    requireElement(index);
    write(segment(), dtype, index, value);
  }

  /** All elements of a host tensor. */
  public double[] toDoubles() {
    double[] values = new double[Math.toIntExact(elements())];
    read(segment(), dtype, 0, values, values.length);
    return values;
  }

  /** Overwrites a host tensor with another host tensor's numbers, converting the format. */
  public void copyFrom(Tensor source) {
    if (source.elements() != elements()) {
      throw new ArgumentException("cannot copy " + source + " into " + this);
    }
    MemorySegment from = source.segment();
    MemorySegment to = segment();
    if (source.dtype == dtype) {
      to.copyFrom(from);
      return;
    }
    double[] some = new double[(int) Math.min(elements(), AT_A_TIME)];
    for (long i = 0; i < elements(); i += AT_A_TIME) {
      int n = (int) Math.min(elements() - i, AT_A_TIME);
      read(from, source.dtype, i, some, n);
      write(to, dtype, i, some, n);
    }
  }

  private void requireDense(String wanted) {
    if (!isDense()) {
      throw new ArgumentException(
          Text.format("tensor %s has rows %d elements apart, of which there is no %s", this, stride, wanted));
    }
  }

  private void requireElement(long index) {
    if (index < 0 || index >= elements()) {
      throw new ArgumentException(Text.format("element %d of tensor %s", index, this));
    }
  }

  private void requireRows(long first, long count) {
    if (shape.rank() == 0 || first < 0 || count < 0 || first > shape.dim(0) - count) {
      throw new ArgumentException(
          Text.format("%d rows from row %d on of tensor %s", count, first, this));
    }
  }

  Scope.Tie tie() {
    return tie;
  }

  /** Reads n elements from the given one on. */
  private static void read(MemorySegment s, DType dtype, long first, double[] values, int n) {
    switch (dtype) {
      case F64 -> MemorySegment.copy(s, F64, first * 8, values, 0, n);
      case F32 -> {
        float[] floats = new float[n];
        MemorySegment.copy(s, F32, first * 4, floats, 0, n);
        for (int i = 0; i < n; i++) {
          values[i] = floats[i];
        }
      }
      case BF16 -> {
        short[] bits = new short[n];
        MemorySegment.copy(s, I16, first * 2, bits, 0, n);
        for (int i = 0; i < n; i++) {
          values[i] = DType.bf16ToFloat(bits[i]);
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
      case F32 -> {
        float[] floats = new float[n];
        for (int i = 0; i < n; i++) {
          floats[i] = (float) values[i];
        }
        MemorySegment.copy(floats, 0, s, F32, first * 4, n);
      }
      case BF16 -> {
        short[] bits = new short[n];
        for (int i = 0; i < n; i++) {
          bits[i] = DType.floatToBf16((float) values[i]);
        }
        MemorySegment.copy(bits, 0, s, I16, first * 2, n);
      }
      default -> {
        for (int i = 0; i < n; i++) {
          write(s, dtype, first + i, values[i]);
        }
      }
    }
  }

  private static double read(MemorySegment s, DType dtype, long i) {
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

  private static void write(MemorySegment s, DType dtype, long i, double value) {
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

  /** Whether another host tensor has the same format, shape and bytes. */
  public boolean sameBytes(Tensor other) {
    return dtype == other.dtype && shape.equals(other.shape) && segment().mismatch(other.segment()) < 0;
  }

  /** As in {@code F32(8,256)}. */
  @Override
  public String toString() {
    return dtype + shape.toString();
  }
}
