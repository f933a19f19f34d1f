package dev.lethe.solve;

import dev.lethe.backend.Backend;
import dev.lethe.curvature.StochasticCurvature;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Tensor;
import java.util.SplittableRandom;

/** A dense symmetric matrix as a curvature, the mean of a few mini-batch matrices. */
final class MatrixOperator implements StochasticCurvature {
  final double[][] matrix;
  private final Backend backend;
  private final double[][][] batches;
  private long products;

  private MatrixOperator(Backend backend, double[][][] batches) {
    this.backend = backend;
    this.batches = batches;
    int n = batches[0].length;
    this.matrix = new double[n][n];
    for (double[][] batch : batches) {
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          matrix[i][j] += batch[i][j] / batches.length;
        }
      }
    }
  }

  /** QᵀDQ for a random rotation Q, as one batch. */
  static MatrixOperator withEigenvalues(Backend backend, double[] eigenvalues, long seed) {
    int n = eigenvalues.length;
    double[][] q = rotation(n, seed);
    double[][] a = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) {
          a[i][j] += q[k][i] * eigenvalues[k] * q[k][j];
        }
      }
    }
    return new MatrixOperator(backend, new double[][][] {a});
  }

  /**
   * The same sum split into unequal positive parts: batch j has 1 + spread·(±1) times the matrix.
   */
  MatrixOperator split(int count, double spread) {
    double[][][] parts = new double[count][][];
    for (int b = 0; b < count; b++) {
      double[][] rotated = new double[matrix.length][];
      double factor = 1 + spread * (b % 2 == 0 ? 1 : -1);
      for (int i = 0; i < matrix.length; i++) {
        rotated[i] = matrix[i].clone();
        for (int j = 0; j < matrix.length; j++) {
          rotated[i][j] *= factor;
        }
      }
      parts[b] = rotated;
    }
    return new MatrixOperator(backend, parts);
  }

  static double[] logSpaced(int n, double from, double to) {
    double[] values = new double[n];
    for (int i = 0; i < n; i++) {
      values[i] = from * Math.pow(to / from, i / (n - 1.0));
    }
    return values;
  }

  private static double[][] rotation(int n, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[][] q = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        q[i][j] = random.nextGaussian();
      }
      for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < i; k++) {
          double dot = dot(q[i], q[k]);
          for (int j = 0; j < n; j++) {
            q[i][j] -= dot * q[k][j];
          }
        }
      }
      double norm = Math.sqrt(dot(q[i], q[i]));
      for (int j = 0; j < n; j++) {
        q[i][j] /= norm;
      }
    }
    return q;
  }

  static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }

  double[] times(double[] x) {
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = dot(matrix[i], x);
    }
    return y;
  }

  @Override
  public String name() {
    return "matrix";
  }

  @Override
  public long dimension() {
    return matrix.length;
  }

  @Override
  public void apply(Tensor v, Tensor out) {
    multiply(matrix, v, out);
  }

  @Override
  public int batches() {
    return batches.length;
  }

  @Override
  public void applyBatch(int batch, Tensor v, Tensor out) {
    multiply(batches[batch], v, out);
  }

  private void multiply(double[][] a, Tensor v, Tensor out) {
    for (int row = 0; row < v.dim(0); row++) {
      double[] x = HostTensors.doubles(backend, v.row(row));
      double[] y = new double[x.length];
      for (int i = 0; i < x.length; i++) {
        y[i] = dot(a[i], x);
      }
      HostTensors.upload(backend, y, out.row(row));
      products++;
    }
  }

  @Override
  public long products() {
    return products;
  }

  @Override
  public void close() {}
}
