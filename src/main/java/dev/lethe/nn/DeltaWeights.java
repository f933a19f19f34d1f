package dev.lethe.nn;

import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;

/** What adapter pairs do to the weights: ΔW = s·BA. Host arithmetic in float64. */
public final class DeltaWeights {
  private DeltaWeights() {}

  /**
   * Adds s·BA to a weight.
   *
   * @param a (rank,in)
   * @param b (out,rank)
   * @param weight host tensor (out,in), changed
   */
  public static void add(LoraSlot slot, double[] a, double[] b, Tensor weight) {
    int in = Math.toIntExact(slot.in());
    int rank = Math.toIntExact(slot.rank());
    double[] row = new double[in];
    for (int o = 0; o < slot.out(); o++) {
      Arrays.fill(row, 0);
      for (int r = 0; r < rank; r++) {
        double factor = slot.scale() * b[o * rank + r];
        for (int i = 0; i < in; i++) {
          row[i] += factor * a[r * in + i];
        }
      }
      Tensor target = weight.row(o);
      for (int i = 0; i < in; i++) {
        target.set(i, target.get(i) + row[i]);
      }
    }
  }

  /**
   * ‖s(B'A' − BA)‖²: with B'A' − BA = [B'−B, B]·[A'; A'−A] = P·Q, the norm of R_P·R_Qᵀ from the QR
   * factors of P and Qᵀ, which loses no digits where the difference is small.
   */
  static double distanceSquared(
      LoraSlot slot, double[] a, double[] b, double[] otherA, double[] otherB) {
    int rank = Math.toIntExact(slot.rank());
    int in = Math.toIntExact(slot.in());
    int out = Math.toIntExact(slot.out());
    double[][] p = new double[2 * rank][];
    double[][] q = new double[2 * rank][];
    for (int r = 0; r < rank; r++) {
      double[] column = column(b, out, rank, r);
      p[r] = difference(column(otherB, out, rank, r), column);
      p[rank + r] = column;
      q[r] = Arrays.copyOfRange(otherA, r * in, (r + 1) * in);
      q[rank + r] = difference(q[r], Arrays.copyOfRange(a, r * in, (r + 1) * in));
    }
    double[][] left = triangle(p);
    double[][] right = triangle(q);
    double sum = 0;
    for (double[] x : left) {
      for (double[] y : right) {
        double dot = dot(x, y);
        sum += dot * dot;
      }
    }
    return slot.scale() * slot.scale() * sum;
  }

  /**
   * R of the QR factors of the matrix with these columns, by modified Gram-Schmidt; changes them.
   */
  private static double[][] triangle(double[][] columns) {
    int n = columns.length;
    double[][] r = new double[n][n];
    for (int j = 0; j < n; j++) {
      r[j][j] = Math.sqrt(dot(columns[j], columns[j]));
      if (r[j][j] == 0) {
        continue;
      }
      for (int i = 0; i < columns[j].length; i++) {
        columns[j][i] /= r[j][j];
      }
      for (int k = j + 1; k < n; k++) {
        r[j][k] = dot(columns[j], columns[k]);
        for (int i = 0; i < columns[k].length; i++) {
          columns[k][i] -= r[j][k] * columns[j][i];
        }
      }
    }
    return r;
  }

  private static double[] column(double[] matrix, int rows, int columns, int index) {
    double[] column = new double[rows];
    for (int i = 0; i < rows; i++) {
      column[i] = matrix[i * columns + index];
    }
    return column;
  }

  private static double[] difference(double[] x, double[] y) {
    double[] d = new double[x.length];
    for (int i = 0; i < d.length; i++) {
      d[i] = x[i] - y[i];
    }
    return d;
  }

  private static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }
}
