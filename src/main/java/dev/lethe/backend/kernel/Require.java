package dev.lethe.backend.kernel;

import dev.lethe.ArgumentException;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;

/**
 * Checks of kernel arguments, shared by the backends. What is checked is named as in {@code
 * "rmsNorm.forward: y"}; a failure is an ArgumentException that also says what was expected,
 * what was there and where to read on.
 */
public final class Require {
  private Require() {}

  /** A dense tensor that must be there, of exactly this format and shape. */
  public static void tensor(String what, Tensor tensor, DType dtype, long... dims) {
    columns(what, tensor, dtype, dims);
    if (!tensor.isDense()) {
      throw failure(what, "dense rows of " + tensor, "columns of a tensor " + tensor.stride() + " wide");
    }
  }

  /** The same, but it may be columns of a wider tensor. */
  static void columns(String what, Tensor tensor, DType dtype, long... dims) {
    if (!fits(tensor, dtype, dims)) {
      throw failure(what, dtype.toString() + Shape.of(dims), tensor);
    }
  }

  /** A tensor that may be null: a structural zero, or an output that is not wanted. */
  public static void tensorOrNull(String what, Tensor tensor, DType dtype, long... dims) {
    if (tensor != null) {
      tensor(what, tensor, dtype, dims);
    }
  }

  static boolean fits(Tensor tensor, DType dtype, long... dims) {
    return tensor != null && tensor.dtype() == dtype && tensor.shape().hasSizes(dims);
  }

  /** A tensor that must be there and has one of these ranks. */
  public static void rank(String what, Tensor tensor, int... ranks) {
    if (!hasRank(tensor, ranks)) {
      throw failure(what, "a tensor of rank " + Arrays.toString(ranks), tensor);
    }
  }

  static boolean hasRank(Tensor tensor, int... ranks) {
    if (tensor != null) {
      for (int rank : ranks) {
        if (rank == tensor.shape().rank()) {
          return true;
        }
      }
    }
    return false;
  }

  /**
   * An integer of a list of indices: at least 0 and below the bound. For backends that see the numbers.
   *
   * @param what the list
   */
  public static void index(KernelCall call, String what, long position, long index, long bound) {
    if (index < 0 || index >= bound) {
      throw failure(
          call.name() + ": " + what,
          "indices 0 to " + (bound - 1),
          index + " at position " + position);
    }
  }

  /** An integer of a list of ascending indices without repeats. */
  public static void ascends(KernelCall call, String what, long position, long before, long index) {
    if (index <= before) {
      throw failure(
          call.name() + ": " + what,
          "ascending indices without repeats",
          index + " at position " + position);
    }
  }

  /** Any other condition. */
  public static void that(boolean holds, String what, Object expected, Object got) {
    if (!holds) {
      throw failure(what, expected, got);
    }
  }

  private static ArgumentException failure(String what, Object expected, Object got) {
    return new ArgumentException(
        what
            + ": expected "
            + expected
            + ", got "
            + got
            + "; the kernel interfaces of dev.lethe.backend say which argument has which shape");
  }
}
