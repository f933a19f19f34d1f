package dev.lethe.solve;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/** Systems of dense matrices of one size on one device, and their solutions as numbers. */
final class MatrixSystems implements AutoCloseable {
  final Backend backend;
  private final Scope scope;
  private final int n;
  private final long seed;

  /**
   * @param n the matrices' size
   * @param seed of their eigenvectors
   */
  MatrixSystems(String device, int n, long seed) {
    this.backend = Backends.select(device, BackendOptions.DEFAULT);
    this.scope = backend.openScope("test");
    this.n = n;
    this.seed = seed;
  }

  /** A positive definite matrix with eigenvalues from the smallest to 1. */
  MatrixOperator spd(double smallest) {
    return withEigenvalues(MatrixOperator.logSpaced(n, smallest, 1));
  }

  MatrixOperator withEigenvalues(double[] eigenvalues) {
    return MatrixOperator.withEigenvalues(backend, eigenvalues, seed);
  }

  /** The system with one right-hand side. */
  LinearProblem problem(MatrixOperator a, double damping, double[] b) {
    Tensor rhs = scope.allocate(backend.vectorType(), n);
    HostTensors.upload(backend, b, rhs);
    return new LinearProblem(backend, a, damping, rhs, scope);
  }

  /** The system whose right-hand sides are the rows of b. */
  LinearProblem problem(MatrixOperator a, double damping, double[][] b) {
    Tensor rhs = scope.allocate(backend.vectorType(), b.length, n);
    for (int j = 0; j < b.length; j++) {
      HostTensors.upload(backend, b[j], rhs.row(j));
    }
    return new LinearProblem(backend, a, damping, rhs, scope);
  }

  /** The right-hand side that x solves. */
  static double[] rhs(MatrixOperator a, double damping, double[] x) {
    double[] b = a.times(x);
    for (int i = 0; i < b.length; i++) {
      b[i] += damping * x[i];
    }
    return b;
  }

  double[] values(Solution found) {
    return HostTensors.doubles(backend, found.x());
  }

  /** ‖x − expected‖/‖expected‖; ‖x‖ where 0 is expected. */
  double error(Solution found, double[] expected) {
    double[] x = values(found);
    for (int i = 0; i < n; i++) {
      x[i] -= expected[i];
    }
    double size = norm(expected);
    return norm(x) / (size == 0 ? 1 : size);
  }

  static double norm(double[] x) {
    return Math.sqrt(MatrixOperator.dot(x, x));
  }

  @Override
  public void close() {
    scope.close();
    backend.close();
  }
}
