package dev.lethe.backend.contract;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/** A tensor of a backend between two guard zones of NaN (or a wild index). */
final class GuardedBuffer {
  private final Backend backend;
  private final int guardBytes;
  private final Tensor whole;
  private final Tensor inside;
  private final byte[] initial;

  GuardedBuffer(
      Backend backend, Scope scope, DType dtype, Shape shape, int guard, double[] values) {
    this.backend = backend;
    guardBytes = guard * dtype.bytes();
    whole = scope.allocate(dtype, 2L * guard + shape.elements());
    inside = whole.section(guard, shape);
    initial = new byte[Math.toIntExact(whole.byteSize())];
    double[] all = new double[Math.toIntExact(whole.elements())];
    Arrays.fill(all, canary(dtype));
    System.arraycopy(values, 0, all, guard, values.length);
    host(initial).copyFrom(Tensor.of(whole.shape(), all));
    reset();
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
    int guard = guardBytes / whole.dtype().bytes();
    return host(snapshot).section(guard, inside.shape()).toDoubles();
  }

  double[] initialValues() {
    return values(initial);
  }

  boolean guardsIntact(byte[] snapshot) {
    int end = initial.length - guardBytes;
    return Arrays.equals(snapshot, 0, guardBytes, initial, 0, guardBytes)
        && Arrays.equals(snapshot, end, initial.length, initial, end, initial.length);
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
