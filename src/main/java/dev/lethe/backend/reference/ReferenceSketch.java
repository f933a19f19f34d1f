package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.BF16;
import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.Require;
import dev.lethe.backend.SketchKernels;
import dev.lethe.tensor.Tensor;

/** Products with a sketch, row by row. */
final class ReferenceSketch implements SketchKernels {
  @Override
  public void dots(Tensor rows, Tensor v, Tensor dots) {
    requireRows("sketch.dots", rows);
    Require.rank("sketch.dots: v", v, 2);
    Require.tensor("sketch.dots: v", v, F64, v.dim(0), rows.dim(1));
    Require.tensor("sketch.dots: dots", dots, F64, v.dim(0), rows.dim(0));
    products(rows, v).store(dots);
  }

  @Override
  public void addCombination(Tensor weights, double scale, Tensor rows, Tensor out) {
    requireRows("sketch.addCombination", rows);
    Require.rank("sketch.addCombination: weights", weights, 2);
    Require.tensor(
        "sketch.addCombination: weights", weights, F64, weights.dim(0), rows.dim(0));
    Require.tensor("sketch.addCombination: out", out, F64, weights.dim(0), rows.dim(1));
    combine(Matrix.of(weights), scale, rows, out);
  }

  @Override
  public void addProduct(Tensor rows, Tensor v, double scale, Tensor out) {
    requireRows("sketch.addProduct", rows);
    Require.rank("sketch.addProduct: v", v, 2);
    Require.tensor("sketch.addProduct: v", v, F64, v.dim(0), rows.dim(1));
    Require.tensor("sketch.addProduct: out", out, F64, v.dim(0), rows.dim(1));
    combine(products(rows, v), scale, rows, out);
  }

  private static Matrix products(Tensor rows, Tensor v) {
    Matrix directions = Matrix.of(v);
    Matrix dots = Matrix.zeros(v.dim(0), rows.dim(0));
    for (int i = 0; i < dots.cols(); i++) {
      double[] row = rows.row(i).toDoubles();
      for (int j = 0; j < dots.rows(); j++) {
        dots.values()[j * dots.cols() + i] =
            Slices.dot(row, 0, directions.values(), j * row.length, row.length);
      }
    }
    return dots;
  }

  private static void combine(Matrix weights, double scale, Tensor rows, Tensor out) {
    Matrix sums = Matrix.of(out);
    for (int i = 0; i < weights.cols(); i++) {
      double[] row = rows.row(i).toDoubles();
      for (int j = 0; j < weights.rows(); j++) {
        Slices.addScaled(
            scale * weights.at(j, i), row, 0, sums.values(), j * row.length, row.length);
      }
    }
    sums.store(out);
  }

  private static void requireRows(String operation, Tensor rows) {
    Require.rank(operation + ": rows", rows, 2);
    Require.that(
        rows.dtype() == BF16 || rows.dtype() == F64, operation + ": rows", "BF16 or F64", rows);
  }
}
