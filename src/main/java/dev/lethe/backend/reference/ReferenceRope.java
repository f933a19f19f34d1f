package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.Require;
import dev.lethe.backend.RopeKernels;
import dev.lethe.backend.RopeTable;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/** Rotary position embedding: (a, b) ↦ (a cos − b sin, b cos + a sin) per pair of elements. */
final class ReferenceRope implements RopeKernels {
  @Override
  public void rotate(RopeTable table, Tensor positions, Tensor x, Tensor y) {
    turn("rope.rotate", table, positions, x, y, 1);
  }

  @Override
  public void rotateBack(RopeTable table, Tensor positions, Tensor x, Tensor y) {
    turn("rope.rotateBack", table, positions, x, y, -1);
  }

  private static void turn(
      String operation, RopeTable table, Tensor positions, Tensor x, Tensor y, int sign) {
    Require.rank(operation + ": x", x, 2, 3);
    Require.tensor(operation + ": y", y, F64, x.shape().toArray());
    Require.tensor(operation + ": x", x, F64, x.shape().toArray());
    Require.tensor(operation + ": positions", positions, DType.I32, x.dim(-2));
    int half = Math.toIntExact(table.headSize() / 2);
    Require.tensor(operation + ": cos", table.cos(), F64, table.positions(), half);
    Require.tensor(operation + ": sin", table.sin(), F64, table.positions(), half);
    Require.that(
        x.dim(-1) % table.headSize() == 0,
        operation + ": width of x",
        "a multiple of the head size " + table.headSize(),
        x);
    Matrix cos = Matrix.of(table.cos());
    Matrix sin = Matrix.of(table.sin());
    Matrix in = Matrix.of(x);
    Matrix out = Matrix.zeros(in.rows(), in.cols());
    int n = Math.toIntExact(positions.elements());
    for (int row = 0; row < in.rows(); row++) {
      int position = (int) positions.get(row % n);
      Require.index(operation + ": positions", row % n, position, table.positions());
      for (int head = 0; head < in.cols(); head += 2 * half) {
        for (int i = 0; i < half; i++) {
          double c = cos.at(position, i);
          double s = sign * sin.at(position, i);
          double a = in.at(row, head + i);
          double b = in.at(row, head + half + i);
          int at = row * in.cols() + head + i;
          out.values()[at] = a * c - b * s;
          out.values()[at + half] = b * c + a * s;
        }
      }
    }
    out.store(y);
  }
}
