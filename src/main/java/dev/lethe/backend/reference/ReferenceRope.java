package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.RopeTable;
import dev.lethe.tensor.Tensor;

/** Rotary position embedding: (a, b) ↦ (a cos − b sin, b cos + a sin) per pair of elements. */
final class ReferenceRope implements RopeKernels {
  @Override
  public void rotate(Rotate call) {
    RopeTable table = call.table();
    Tensor positions = call.positions();
    int sign = call.back() ? -1 : 1;
    int half = Math.toIntExact(table.headSize() / 2);
    DoubleMatrix cos = DoubleMatrix.of(table.cos());
    DoubleMatrix sin = DoubleMatrix.of(table.sin());
    DoubleMatrix in = DoubleMatrix.of(call.x());
    DoubleMatrix out = DoubleMatrix.zeros(in.rows(), in.cols());
    int n = Math.toIntExact(positions.elements());
    for (int row = 0; row < in.rows(); row++) {
      int position = (int) positions.get(row % n);
      Require.index(call, "positions", row % n, position, table.positions());
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
    out.store(call.y());
  }
}
