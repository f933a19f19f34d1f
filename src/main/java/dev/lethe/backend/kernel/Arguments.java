package dev.lethe.backend.kernel;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * Checks of the arguments of a {@link KernelCall}. A failure is an ArgumentException that names the call and
 * the argument, and says what was expected and what was there.
 *
 * @param call the call's name, as in {@code rmsNorm.forward}
 * @param activations the backend's format of activations
 * @param vectors its format of parameters, gradients and statistics
 */
public record Arguments(String call, DType activations, DType vectors) {
  /** Checks a call for a backend with these formats. */
  public static void check(KernelCall call, DType activations, DType vectors) {
    call.require(new Arguments(call.name(), activations, vectors));
  }

  /** A tensor in activation format. */
  public void activation(String what, Tensor tensor, long... dims) {
    tensor(what, tensor, activations, dims);
  }

  /** A tensor in activation format, or null: a structural zero, or an output that is not wanted. */
  public void activationOrNull(String what, Tensor tensor, long... dims) {
    if (tensor != null) {
      tensor(what, tensor, activations, dims);
    }
  }

  /** As {@link #activation}, but it may be columns of a wider tensor. */
  public void columns(String what, Tensor tensor, long... dims) {
    if (!Require.fits(tensor, activations, dims)) {
      Require.columns(place(what), tensor, activations, dims);
    }
  }

  /** As {@link #activationOrNull}, but it may be columns of a wider tensor. */
  public void columnsOrNull(String what, Tensor tensor, long... dims) {
    if (tensor != null) {
      columns(what, tensor, dims);
    }
  }

  /** A tensor in vector format. */
  public void vector(String what, Tensor tensor, long... dims) {
    tensor(what, tensor, vectors, dims);
  }

  /** A tensor in vector format, or null. */
  public void vectorOrNull(String what, Tensor tensor, long... dims) {
    if (tensor != null) {
      tensor(what, tensor, vectors, dims);
    }
  }

  /** A tensor in BF16 or vector format. */
  public void bf16OrVector(String what, Tensor tensor) {
    if (tensor.dtype() != DType.BF16 && tensor.dtype() != vectors) {
      that(false, what, "BF16 or " + vectors, tensor);
    }
  }

  /** A tensor in vector format, of any shape. */
  public void anyVector(String what, Tensor tensor) {
    if (tensor == null || tensor.dtype() != vectors) {
      that(false, what, "a tensor in " + vectors, tensor);
    }
  }

  /** I32 numbers. */
  public void integers(String what, Tensor tensor, long... dims) {
    tensor(what, tensor, DType.I32, dims);
  }

  /** A tensor of exactly this format and shape. */
  public void tensor(String what, Tensor tensor, DType dtype, long... dims) {
    if (!Require.fits(tensor, dtype, dims) || !tensor.isDense()) {
      Require.tensor(place(what), tensor, dtype, dims);
    }
  }

  /** A tensor that has one of these ranks. */
  public void rank(String what, Tensor tensor, int... ranks) {
    if (!Require.hasRank(tensor, ranks)) {
      Require.rank(place(what), tensor, ranks);
    }
  }

  /** Any other condition. */
  public void that(boolean holds, String what, Object expected, Object got) {
    if (!holds) {
      Require.that(false, place(what), expected, got);
    }
  }

  /** Vectors (P), or (k,P), in vector format that hold a slot. */
  public void holding(String what, LoraSlot slot, Tensor vectors, int rank) {
    rank(what, vectors, rank);
    anyVector(what, vectors);
    if (!slot.within(vectors.dim(-1))) {
      that(false, what, "vectors that hold " + slot, vectors);
    }
  }

  private String place(String what) {
    return call + ": " + what;
  }
}
