package dev.lethe.unlearn;

import dev.lethe.backend.Backend;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Vectors on the Java heap. */
final class HostVectors {
  private HostVectors() {}

  /** Zeros (size). */
  static Tensor zeros(DType type, long size) {
    return zeros(type, Shape.of(size));
  }

  /** A copy with the same format and shape. */
  static Tensor copy(Tensor host) {
    Tensor copy = zeros(host.dtype(), host.shape());
    copy.copyFrom(host);
    return copy;
  }

  /** An adapter's parameters (P) in the backend's vector format. */
  static Tensor of(LoraAdapter adapter) {
    return download(adapter.model().backend(), adapter.theta());
  }

  /** A backend's vector (P). */
  static Tensor download(Backend backend, Tensor vector) {
    Tensor host = zeros(backend.vectorType(), vector.shape());
    backend.download(vector, host);
    return host;
  }

  private static Tensor zeros(DType type, Shape shape) {
    int bytes = Math.toIntExact(shape.elements() * type.bytes());
    MemorySegment memory =
        switch (type.bytes()) {
          case 8 -> MemorySegment.ofArray(new long[bytes / 8]);
          case 4 -> MemorySegment.ofArray(new int[bytes / 4]);
          default -> MemorySegment.ofArray(new byte[bytes]);
        };
    return Tensor.view(memory, type, shape);
  }
}
