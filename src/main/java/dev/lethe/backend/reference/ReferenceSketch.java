package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.SketchKernels;
import dev.lethe.tensor.Tensor;

/** Products with a sketch, row by row. */
final class ReferenceSketch implements SketchKernels {
  @Override
  public void dots(Dots call) {
    products(call.rows(), call.v()).store(call.dots());
  }

  @Override
  public void addCombination(AddCombination call) {
    combine(DoubleMatrix.of(call.weights()), call.scale(), call.rows(), call.out());
  }

  @Override
  public void addProduct(AddProduct call) {
    combine(products(call.rows(), call.v()), call.scale(), call.rows(), call.out());
  }

  private static DoubleMatrix products(Tensor rows, Tensor v) {
    DoubleMatrix directions = DoubleMatrix.of(v);
    DoubleMatrix dots = DoubleMatrix.zeros(v.dim(0), rows.dim(0));
    for (int i = 0; i < dots.cols(); i++) {
      double[] row = rows.row(i).toDoubles();
      for (int j = 0; j < dots.rows(); j++) {
        dots.values()[j * dots.cols() + i] =
            Slices.dot(row, 0, directions.values(), j * row.length, row.length);
      }
    }
    return dots;
  }

  private static void combine(DoubleMatrix weights, double scale, Tensor rows, Tensor out) {
    DoubleMatrix sums = DoubleMatrix.of(out);
    for (int i = 0; i < weights.cols(); i++) {
      double[] row = rows.row(i).toDoubles();
      for (int j = 0; j < weights.rows(); j++) {
        Slices.addScaled(
            scale * weights.at(j, i), row, 0, sums.values(), j * row.length, row.length);
      }
    }
    sums.store(out);
  }
}
