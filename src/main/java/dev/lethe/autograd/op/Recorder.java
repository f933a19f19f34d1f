package dev.lethe.autograd.op;

import dev.lethe.backend.kernel.operand.Packing;

/** What operations are recorded on: it numbers values and takes operations in order. */
public interface Recorder {
  /** The samples of the batch, whose rows are the tokens. */
  Packing packing();

  /** A new value (rows,width) in activation format. */
  Value activation(long rows, long width, boolean active);

  /** A new value (rows,width) in vector format. */
  Value statistic(long rows, long width, boolean active);

  /**
   * Records an operation on values of this recorder.
   *
   * @return the operation
   */
  <O extends Op> O record(O op);
}
