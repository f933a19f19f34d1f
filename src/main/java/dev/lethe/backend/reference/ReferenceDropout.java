package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.DropoutKernels;

/** Dropout by the mask of {@link DropoutKernels#keeps}. */
final class ReferenceDropout implements DropoutKernels {
  @Override
  public void apply(Apply call) {
    DoubleMatrix in = DoubleMatrix.of(call.x());
    DoubleMatrix out = DoubleMatrix.zeros(in.rows(), in.cols());
    for (int row = 0; row < in.rows(); row++) {
      long rowSeed =
          DropoutKernels.rowSeed(
              call.seed(), DropoutKernels.key(call.keys(), row % call.keys().dim(0)));
      for (int column = 0; column < in.cols(); column++) {
        if (DropoutKernels.keeps(rowSeed, column, call.probability())) {
          int i = row * in.cols() + column;
          out.values()[i] = in.values()[i] / (1 - call.probability());
        }
      }
    }
    out.put(call.y(), call.accumulate());
  }
}
