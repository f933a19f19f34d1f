package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * A frozen weight as it came, in float64.
 *
 * @param weight (out,in)
 * @param bias (out), or null
 */
record ReferenceLinear(Tensor weight, Tensor bias, boolean transposed) implements FrozenLinear {
  static ReferenceLinear copyOf(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    Require.rank("freezeLinear: weight", weight, 2);
    if (bias != null) {
      Require.tensor("freezeLinear: bias", bias, bias.dtype(), weight.dim(0));
    }
    return new ReferenceLinear(copy(weight, owner), copy(bias, owner), transposed);
  }

  static ReferenceLinear of(FrozenLinear linear) {
    Require.that(
        linear instanceof ReferenceLinear,
        "frozen weight",
        "one frozen by the reference backend",
        linear);
    return (ReferenceLinear) linear;
  }

  @Override
  public long in() {
    return weight.dim(1);
  }

  @Override
  public long out() {
    return weight.dim(0);
  }

  /** xWᵀ + bias. */
  DoubleMatrix apply(DoubleMatrix x) {
    return plusBias(x.times(matrix().transposed()));
  }

  /** Adds the bias to each row of y in place, and returns y. */
  DoubleMatrix plusBias(DoubleMatrix y) {
    if (bias != null) {
      double[] b = DoubleMatrix.of(bias).values();
      for (int n = 0; n < y.rows(); n++) {
        Slices.addScaled(1, b, 0, y.values(), n * y.cols(), y.cols());
      }
    }
    return y;
  }

  /** W, for forward tangents. */
  DoubleMatrix matrix() {
    return DoubleMatrix.of(weight);
  }

  private static Tensor copy(Tensor host, Scope owner) {
    if (host == null) {
      return null;
    }
    Tensor copy = owner.allocate(DType.F64, host.shape());
    copy.copyFrom(host);
    return copy;
  }
}
