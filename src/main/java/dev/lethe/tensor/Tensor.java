package dev.lethe.tensor;

import dev.lethe.ArgumentException;
import dev.lethe.ClosedException;
import dev.lethe.Text;
import java.lang.foreign.MemorySegment;

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
    return HostNumbers.read(segment(), dtype, index);
  }

  /** Stores one element of a host tensor in memory order, rounded to its format. */
  public void set(long index, double value) {
    requireElement(index);
    HostNumbers.write(segment(), dtype, index, value);
  }

  /** All elements of a host tensor. */
  public double[] toDoubles() {
    double[] values = new double[Math.toIntExact(elements())];
    HostNumbers.read(segment(), dtype, 0, values, values.length);
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
    HostNumbers.convert(from, source.dtype, to, dtype, elements());
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
