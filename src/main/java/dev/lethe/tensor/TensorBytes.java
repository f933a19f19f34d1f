package dev.lethe.tensor;

import java.io.Serializable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A host tensor that can be sent to another process.
 *
 * @param type format of the elements
 * @param dims shape
 * @param bytes of the elements, in this machine's order
 */
public record TensorBytes(DType type, long[] dims, byte[] bytes) implements Serializable {
  /** A copy of a host tensor's contents. */
  public static TensorBytes of(Tensor host) {
    return new TensorBytes(
        host.dtype(), host.shape().toArray(), host.segment().toArray(ValueLayout.JAVA_BYTE));
  }

  /** The tensor. */
  public Tensor tensor() {
    return Tensor.view(MemorySegment.ofArray(bytes), type, Shape.of(dims));
  }
}
