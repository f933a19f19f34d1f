package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.DropoutKernels;
import dev.lethe.tensor.Tensor;

/** Dropout by the mask of {@link DropoutKernels#keeps}. */
final class ReferenceDropout implements DropoutKernels {
  @Override
  public void apply(
      long seed, double probability, Tensor keys, Tensor x, Tensor y, boolean accumulate) {
    DropoutKernels.require(F64, probability, keys, x, y);
    Matrix in = Matrix.of(x);
    Matrix out = Matrix.zeros(in.rows(), in.cols());
    for (int row = 0; row < in.rows(); row++) {
      long rowSeed =
          DropoutKernels.rowSeed(seed, DropoutKernels.key(keys, row % keys.dim(0)));
      for (int column = 0; column < in.cols(); column++) {
        if (DropoutKernels.keeps(rowSeed, column, probability)) {
          int i = row * in.cols() + column;
          out.values()[i] = in.values()[i] / (1 - probability);
        }
      }
    }
    out.put(y, accumulate);
  }
}
