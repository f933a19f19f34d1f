package dev.lethe.solve;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.FactoredCurvature;
import dev.lethe.curvature.InvertibleCurvature;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.function.UnaryOperator;

/**
 * A direct solve: with the curvature's own inverse where it has one, otherwise by factorising a matrix of
 * at most {@link SolverOptions#directLimit} rows: the Gram matrix of the curvature's factor where it has
 * one with fewer rows than parameters (Woodbury: x = (b − Gᵀ(λ/c I + GGᵀ)⁻¹Gb)/λ for C = cGᵀG), else C+λI
 * itself from products with unit vectors. The matrix is float64; products in another format are made up
 * for by iterative refinement.
 *
 * <p>While the matrix is built, the monitor's iteration counts its rows and the residual is NaN. A direct
 * solve keeps no state to resume from.
 */
public final class Direct implements Solver {
  private static final int CHUNK = 16;
  private static final int REFINEMENTS = 4;

  @Override
  public String name() {
    return "direct";
  }

  @Override
  public Solution solve(LinearProblem problem, SolverOptions options, SolverMonitor monitor) {
    try (SolveSession session = new SolveSession(name(), problem, options, monitor)) {
      if (session.rhsNorm() == 0) {
        return session.zero();
      }
      UnaryOperator<Tensor> inverse = factorise(session, monitor);
      return inverse == null ? session.interrupted(session.scratch()) : refine(session, inverse);
    }
  }

  private static UnaryOperator<Tensor> factorise(SolveSession s, SolverMonitor monitor) {
    LinearProblem problem = s.problem();
    long parameters = problem.curvature().dimension();
    int limit = s.options().directLimit();
    if (problem.curvature() instanceof InvertibleCurvature c) {
      return inverse(s, c);
    }
    if (problem.damping() > 0 && problem.curvature() instanceof FactoredCurvature c) {
      int rows = c.factorRows();
      if (rows > 0 && rows < parameters && rows <= limit) {
        return gram(s, c, monitor);
      }
    }
    if (parameters > limit) {
      throw new LetheException(
          "solver direct", "the system is too large for a direct solve",
          Text.format(
              "at most %d parameters, curvature fisher over at most %d samples with a damping, or curvature ekfac",
              limit, limit),
          Text.format("%d parameters, curvature %s", parameters, problem.operatorName()),
          "Use solver cg (ggn, fisher) or minres (hessian).");
    }
    return dense(s, monitor);
  }

  /** The curvature's own inverse. */
  private static UnaryOperator<Tensor> inverse(SolveSession s, InvertibleCurvature c) {
    Tensor x = s.scratch();
    return b -> {
      c.applyInverse(asRow(b), s.problem().damping(), asRow(x));
      return x;
    };
  }

  private static Tensor asRow(Tensor vector) {
    return vector.reshape(1, vector.elements());
  }

  private static Solution refine(SolveSession s, UnaryOperator<Tensor> inverse) {
    Tensor x = s.scratch();
    Tensor best = s.scratch();
    Tensor r = s.scratch();
    s.copy(s.problem().rhs(), r);
    double before = Double.POSITIVE_INFINITY;
    for (int round = 0; round <= REFINEMENTS && round < s.options().maxIterations(); round++) {
      s.axpy(1, inverse.apply(r), x);
      double norm = s.residual(x, r);
      if (norm < before) {
        s.copy(x, best);
      }
      s.endIteration(norm);
      if (s.withinTolerance(norm)) {
        return s.finish(x, norm, StopReason.CONVERGED, "factorised, residual within the tolerance");
      }
      if (norm >= before) {
        break;
      }
      before = norm;
    }
    return s.finish(
        best, before, StopReason.STAGNATED,
        "factorised, but rounding of the products allows no smaller residual; use the reference"
            + " device or a larger damping");
  }

  /** (C + λI)⁻¹ from the matrix itself; null where interrupted. */
  private static UnaryOperator<Tensor> dense(SolveSession s, SolverMonitor monitor) {
    Backend backend = s.problem().backend();
    int n = Math.toIntExact(s.problem().curvature().dimension());
    double[][] matrix = new double[n][];
    try (Scope scope = backend.openScope("direct")) {
      for (int first = 0; first < n; first += CHUNK) {
        int k = Math.min(CHUNK, n - first);
        Tensor unit = scope.allocate(backend.vectorType(), k, n);
        Tensor out = scope.allocate(backend.vectorType(), k, n);
        double[] ones = new double[k * n];
        for (int i = 0; i < k; i++) {
          ones[i * n + first + i] = 1;
        }
        HostTensors.upload(backend, ones, unit);
        s.products(unit, out);
        download(backend, out, matrix, first);
        scope.release(unit);
        scope.release(out);
        if (interrupted(monitor, first + k)) {
          return null;
        }
      }
    }
    DenseMatrix factor = new DenseMatrix(matrix);
    Tensor x = s.scratch();
    return b -> {
      HostTensors.upload(backend, factor.solve(HostTensors.doubles(backend, b)), x);
      return x;
    };
  }

  /** (C + λI)⁻¹ through the Gram matrix of the factor's rows; null where interrupted. */
  private static UnaryOperator<Tensor> gram(
      SolveSession s, FactoredCurvature c, SolverMonitor monitor) {
    Backend backend = s.problem().backend();
    int m = c.factorRows();
    double ridge = s.problem().damping() / c.factorScale();
    double[][] matrix = new double[m][];
    try (Scope scope = backend.openScope("direct")) {
      for (int first = 0; first < m; first += CHUNK) {
        int k = Math.min(CHUNK, m - first);
        Tensor rows = scope.allocate(backend.vectorType(), k, c.dimension());
        Tensor dots = scope.allocate(backend.vectorType(), k, m);
        c.factorRows(first, rows);
        c.factorDots(rows, dots);
        download(backend, dots, matrix, first);
        for (int i = first; i < first + k; i++) {
          matrix[i][i] += ridge;
        }
        scope.release(rows);
        scope.release(dots);
        if (interrupted(monitor, first + k)) {
          return null;
        }
      }
    }
    DenseMatrix factor = new DenseMatrix(matrix);
    Tensor x = s.scratch();
    return b -> {
      woodbury(s, c, factor, b, x);
      return x;
    };
  }

  private static void woodbury(
      SolveSession s, FactoredCurvature c, DenseMatrix factor, Tensor b, Tensor x) {
    Backend backend = s.problem().backend();
    try (Scope scope = backend.openScope("woodbury")) {
      Tensor dots = scope.allocate(backend.vectorType(), 1, c.factorRows());
      c.factorDots(b.reshape(1, b.elements()), dots);
      HostTensors.upload(backend, factor.solve(HostTensors.doubles(backend, dots)), dots);
      s.fill(x, 0);
      c.addFactorCombination(dots, x.reshape(1, x.elements()));
      s.axpby(1, b, -1, x);
      s.scale(1 / s.problem().damping(), x);
    }
  }

  private static boolean interrupted(SolverMonitor monitor, int rows) {
    monitor.onIteration(rows, Double.NaN);
    return monitor.interrupted();
  }

  private static void download(Backend backend, Tensor rows, double[][] matrix, int first) {
    for (int i = 0; i < rows.dim(0); i++) {
      matrix[first + i] = HostTensors.doubles(backend, rows.row(i));
    }
  }
}
