package dev.lethe.backend.contract.harness;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * A tensor of a backend between two guard zones of NaN (or a wild index), or columns of a wider one that is NaN
 * elsewhere.
 */
final class GuardedBuffer {
  private final Backend backend;
  private final int guardBytes;
  private final int margin;
  private final Tensor whole;
  private final Tensor inside;
  private final byte[] initial;

  /**
   * @param margin columns on either side of the tensor's; 0: it is dense
   */
  GuardedBuffer(
      Backend backend, Scope scope, DType dtype, Shape shape, int guard, int margin, double[] values) {
    this.backend = backend;
    this.margin = margin;
    guardBytes = guard * dtype.bytes();
    Shape wide = wide(shape, margin);
    whole = scope.allocate(dtype, 2L * guard + wide.elements());
    Tensor between = whole.section(guard, wide);
    inside = margin == 0 ? between : between.columns(margin, shape.dim(-1));
    initial = new byte[Math.toIntExact(whole.byteSize())];
    double[] all = new double[Math.toIntExact(whole.elements())];
    Arrays.fill(all, canary(dtype));
    int run = run();
    for (int i = 0; i < values.length; i += run) {
      System.arraycopy(values, i, all, place(i), run);
    }
    host(initial).copyFrom(Tensor.of(whole.shape(), all));
    reset();
  }

  private static Shape wide(Shape shape, int margin) {
    long[] dims = shape.toArray();
    if (margin > 0) {
      dims[dims.length - 1] += 2L * margin;
    }
    return Shape.of(dims);
  }

  /** How many elements lie side by side: all, or those of a row. */
  private int run() {
    return Math.toIntExact(margin == 0 ? inside.elements() : inside.dim(-1));
  }

  /** Where an element of the tensor lies in the whole. */
  private int place(int element) {
    int guard = guardBytes / whole.dtype().bytes();
    if (margin == 0) {
      return guard + element;
    }
    int columns = Math.toIntExact(inside.dim(-1));
    return guard + Math.toIntExact(element / columns * inside.stride()) + margin + element % columns;
  }

  Tensor tensor() {
    return inside;
  }

  /** The guard zones before and behind it. */
  List<Tensor> zones() {
    int guard = guardBytes / whole.dtype().bytes();
    Shape zone = Shape.of(guard);
    return List.of(whole.section(0, zone), whole.section(whole.elements() - guard, zone));
  }

  /** Puts the initial numbers back. */
  void reset() {
    backend.upload(host(initial), whole);
  }

  /** Everything as it is now, guard zones included. */
  byte[] snapshot() {
    byte[] bytes = new byte[initial.length];
    backend.download(whole, host(bytes));
    return bytes;
  }

  double[] values(byte[] snapshot) {
    double[] all = host(snapshot).toDoubles();
    double[] values = new double[Math.toIntExact(inside.elements())];
    int run = run();
    for (int i = 0; i < values.length; i += run) {
      System.arraycopy(all, place(i), values, i, run);
    }
    return values;
  }

  double[] initialValues() {
    return values(initial);
  }

  boolean guardsIntact(byte[] snapshot) {
    byte[] outside = snapshot.clone();
    int bytes = whole.dtype().bytes();
    int run = run();
    for (int i = 0; i < inside.elements(); i += run) {
      System.arraycopy(initial, place(i) * bytes, outside, place(i) * bytes, run * bytes);
    }
    return Arrays.equals(outside, initial);
  }

  boolean unchanged(byte[] snapshot) {
    return Arrays.equals(snapshot, initial);
  }

  private Tensor host(byte[] bytes) {
    return Tensor.view(MemorySegment.ofArray(bytes), whole.dtype(), whole.shape());
  }

  private static double canary(DType dtype) {
    return dtype.isFloating() ? Double.NaN : Integer.MAX_VALUE;
  }
}
