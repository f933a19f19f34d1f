package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.tensor.Tensor;

/** Rotary position embedding: (a, b) ↦ (a cos − b sin, b cos + a sin) per pair of elements that turns. */
final class ReferenceRope implements RopeKernels {
  @Override
  public void rotate(Rotate call) {
    RopeTable table = call.table();
    Tensor positions = call.positions();
    int sign = call.back() ? -1 : 1;
    int pairs = Math.toIntExact(table.pairs());
    int headSize = Math.toIntExact(table.headSize());
    DoubleMatrix cos = DoubleMatrix.of(table.cos());
    DoubleMatrix sin = DoubleMatrix.of(table.sin());
    DoubleMatrix x = DoubleMatrix.of(call.x());
    int n = Math.toIntExact(positions.elements());
    for (int row = 0; row < x.rows(); row++) {
      int position = (int) positions.get(row % n);
      Require.index(call, "positions", row % n, position, table.positions());
      for (int head = 0; head < x.cols(); head += headSize) {
        for (int i = 0; i < pairs; i++) {
          double c = cos.at(position, i);
          double s = sign * sin.at(position, i);
          double a = x.at(row, head + i);
          double b = x.at(row, head + pairs + i);
          int at = row * x.cols() + head + i;
          x.values()[at] = a * c - b * s;
          x.values()[at + pairs] = b * c + a * s;
        }
      }
    }
    x.store(call.x());
  }
}
