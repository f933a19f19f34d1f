package dev.lethe.unlearn.baseline;

import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Where hidden states should be. */
interface HiddenTargets {
  /** The state that a token of a row should have, (D). */
  double[] of(int row, int token);

  /** The same for all tokens. */
  static HiddenTargets everywhere(double[] state) {
    return (row, token) -> state;
  }

  /** What other parameters gave. */
  static HiddenTargets of(List<double[][]> states) {
    return (row, token) -> states.get(row)[token];
  }

  /**
   * 2 (h − target)/(tokens·D): the gradient of each row's mean square.
   *
   * @param states (N,D) of packed rows
   * @param first the place of the first of them among all rows
   */
  default Tensor gradient(Tensor states, Packing packing, int first) {
    int width = Math.toIntExact(states.dim(1));
    double[] h = states.toDoubles();
    for (int i = 0; i < packing.count(); i++) {
      double scale = 2.0 / ((double) packing.length(i) * width);
      for (int t = 0; t < packing.length(i); t++) {
        double[] target = of(first + i, t);
        int at = (packing.start(i) + t) * width;
        for (int j = 0; j < width; j++) {
          h[at + j] = scale * (h[at + j] - target[j]);
        }
      }
    }
    return Tensor.of(states.shape(), h);
  }

  /** Packed states row by row, (tokens,D) each. */
  static List<double[][]> split(double[] states, Packing packing, long width) {
    List<double[][]> rows = new ArrayList<>();
    int size = Math.toIntExact(width);
    for (int i = 0; i < packing.count(); i++) {
      double[][] row = new double[packing.length(i)][size];
      for (int t = 0; t < row.length; t++) {
        System.arraycopy(states, (packing.start(i) + t) * size, row[t], 0, size);
      }
      rows.add(row);
    }
    return rows;
  }
}
