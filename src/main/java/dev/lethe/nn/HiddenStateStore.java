package dev.lethe.nn;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Where hidden states lie, by the hash of a row's tokens. */
interface HiddenStateStore extends AutoCloseable {
  /** Copies a row's states to the target (T,D); false where they are not there. */
  boolean read(String key, Tensor target);

  /** Keeps a row's states (T,D) if the budget allows. */
  void write(String key, Tensor states);

  /** The format of the states. */
  DType type();

  /** Rows that are kept. */
  int rows();

  /** Bytes that they take. */
  long bytes();

  /** Bytes that they may take. */
  long budget();

  @Override
  void close();

  /** A host tensor that states are read into and written from, zero. */
  default Tensor allocate(Shape shape) {
    int bytes = Math.toIntExact(Math.multiplyExact(shape.elements(), type().bytes()));
    return Tensor.view(MemorySegment.ofArray(new byte[bytes]), type(), shape);
  }
}
