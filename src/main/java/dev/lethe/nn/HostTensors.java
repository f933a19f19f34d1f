package dev.lethe.nn;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;

/** Small tensors on the Java heap, on their way to and from a backend. */
final class HostTensors {
  private HostTensors() {}

  /** Zeros in F32 or F64. */
  static Tensor zeros(DType dtype, Shape shape) {
    int elements = Math.toIntExact(shape.elements());
    return switch (dtype) {
      case F32 -> Tensor.of(shape, new float[elements]);
      case F64 -> Tensor.of(shape, new double[elements]);
      default -> throw new IllegalArgumentException("host tensor in " + dtype);
    };
  }

  /** A copy of a backend's tensor in the backend's vector format. */
  static Tensor download(Backend backend, Tensor source) {
    Tensor host = zeros(backend.vectorType(), source.shape());
    backend.download(source, host);
    return host;
  }

  /** A new I32 tensor of these numbers on a backend. */
  static Tensor uploadIntegers(Backend backend, Scope owner, int... values) {
    Tensor tensor = owner.allocate(DType.I32, values.length);
    backend.upload(Tensor.of(Shape.of(values.length), values), tensor);
    return tensor;
  }

  /** The numbers of a backend's tensor. */
  static double[] doubles(Backend backend, Tensor source) {
    double[] values = new double[Math.toIntExact(source.elements())];
    backend.download(source, Tensor.of(source.shape(), values));
    return values;
  }
}
