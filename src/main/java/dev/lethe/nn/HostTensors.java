package dev.lethe.nn;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostStorage;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Tensors and numbers on the Java heap, on their way to and from a backend. */
public final class HostTensors {
  private HostTensors() {}

  /** Writes a matrix (n,m) to another (m,n) of the same format, both on the host. */
  static void transpose(Tensor from, Tensor to) {
    long rows = from.dim(0);
    long columns = from.dim(1);
    for (long i = 0; i < rows; i++) {
      for (long j = 0; j < columns; j++) {
        to.set(j * rows + i, from.get(i * columns + j));
      }
    }
  }

  /** Whether a backend's tensors lie in host memory, and its kernels read any tensor that does outside the Java heap. */
  public static boolean inHostMemory(Backend backend) {
    try (Scope scope = backend.openScope("where tensors lie")) {
      return scope.allocate(DType.BF16, 1).storage() instanceof HostStorage;
    }
  }

  /** Zeros in any format. */
  public static Tensor zeros(DType type, Shape shape) {
    int bytes = Math.toIntExact(shape.elements() * type.bytes());
    MemorySegment memory =
        switch (type.bytes()) {
          case 8 -> MemorySegment.ofArray(new long[bytes / 8]);
          case 4 -> MemorySegment.ofArray(new int[bytes / 4]);
          default -> MemorySegment.ofArray(new byte[bytes]);
        };
    return Tensor.view(memory, type, shape);
  }

  /** Zeros (size) in any format. */
  public static Tensor zeros(DType type, long size) {
    return zeros(type, Shape.of(size));
  }

  /** A copy of a host tensor in its own format. */
  public static Tensor copy(Tensor host) {
    Tensor copy = zeros(host.dtype(), host.shape());
    copy.copyFrom(host);
    return copy;
  }

  /** A copy of a backend's tensor in the backend's vector format. */
  public static Tensor download(Backend backend, Tensor source) {
    Tensor host = zeros(backend.vectorType(), source.shape());
    backend.download(source, host);
    return host;
  }

  /** A copy of a host tensor on a backend in its vector format. */
  public static Tensor uploaded(Backend backend, Scope owner, Tensor host) {
    Tensor copy = owner.allocate(backend.vectorType(), host.shape());
    backend.upload(host, copy);
    return copy;
  }

  /** A copy of an adapter's parameters (P) in the backend's vector format. */
  public static Tensor download(LoraAdapter adapter) {
    return download(adapter.model().backend(), adapter.theta());
  }

  /** The numbers of a backend's tensor, in memory order. */
  public static double[] doubles(Backend backend, Tensor source) {
    double[] values = new double[Math.toIntExact(source.elements())];
    backend.download(source, Tensor.of(source.shape(), values));
    return values;
  }

  /** Stores numbers in a tensor of the backend. */
  public static void upload(Backend backend, double[] values, Tensor target) {
    backend.upload(Tensor.of(target.shape(), values), target);
  }

  /** A new I32 tensor of these numbers on a backend. */
  public static Tensor uploadIntegers(Backend backend, Scope owner, int... values) {
    Tensor tensor = owner.allocate(DType.I32, values.length);
    backend.upload(Tensor.of(Shape.of(values.length), values), tensor);
    return tensor;
  }
}
