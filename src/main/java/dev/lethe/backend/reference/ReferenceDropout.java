package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.DropoutKernels;
import dev.lethe.backend.Require;
import dev.lethe.tensor.Tensor;

/** Dropout by the mask of {@link DropoutKernels#keeps}. */
final class ReferenceDropout implements DropoutKernels {
  @Override
  public void apply(
      long seed, double probability, long maskElements, Tensor x, Tensor y, boolean accumulate) {
    Require.rank("dropout.apply: x", x, 2, 3);
    Require.tensor("dropout.apply: x", x, F64, x.shape().toArray());
    Require.tensor("dropout.apply: y", y, F64, x.shape().toArray());
    Require.that(
        probability >= 0 && probability < 1, "dropout.apply: probability", "[0,1)", probability);
    Require.that(
        maskElements == x.dim(-2) * x.dim(-1),
        "dropout.apply: maskElements",
        x.dim(-2) * x.dim(-1),
        maskElements);
    Matrix in = Matrix.of(x);
    Matrix out = Matrix.zeros(in.rows(), in.cols());
    for (int i = 0; i < in.values().length; i++) {
      if (DropoutKernels.keeps(seed, i % maskElements, probability)) {
        out.values()[i] = in.values()[i] / (1 - probability);
      }
    }
    out.put(y, accumulate);
  }
}
