package dev.lethe.solve;

import dev.lethe.Text;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/**
 * Conjugate gradients for several right-hand sides at a time: every iteration multiplies a block of
 * directions in one pass, and all systems search in the sum of their Krylov spaces. O'Leary, Linear
 * Algebra Appl. 29 (1980) 293, in the form with orthonormal residual factors of Dubrulle, ETNA 12
 * (2001) 216: R = C·Q with the rows of Q orthonormal.
 *
 * <p>A row of Q that depends on the others within rounding is dropped, with its direction; so equal
 * or dependent right-hand sides, and systems that end early, make the block smaller and not
 * singular. As in {@link ConjugateGradient}, residuals are recomputed where the recurrence says
 * that all systems are within the tolerance, the iteration restarts from them where they are not,
 * and a direction v with vᵀ(C+λI)v ≤ 0 ends the solve. The residual that a monitor hears is the
 * largest of the systems.
 */
final class BlockConjugateGradient implements Solver {
  private static final double WORTHWHILE = 0.75;

  /** What is left of a vector, in roundings of it, where it counts as dependent on others. */
  private static final double DEPENDENT = 1000;

  @Override
  public String name() {
    return "block-cg";
  }

  @Override
  public Solution solve(LinearProblem problem, SolverOptions options, SolverMonitor monitor) {
    return solveAll(problem, options, monitor).getFirst();
  }

  @Override
  public List<Solution> solveAll(
      LinearProblem problem, SolverOptions options, SolverMonitor monitor) {
    Tensor rows = problem.rhs().reshape(problem.systems(), problem.curvature().dimension());
    LinearProblem block =
        new LinearProblem(
            problem.backend(), problem.curvature(), problem.damping(), rows, problem.owner());
    try (SolveSession session = new SolveSession(name(), block, options, monitor)) {
      if (session.rhsNorm() == 0) {
        double[] exact = new double[block.systems()];
        return session.finishAll(
            session.scratch(), exact, StopReason.CONVERGED, "the right-hand side is 0");
      }
      return new Run(session, options.tolerance()).run();
    }
  }

  /**
   * Vectors are rows (m,P), of which Q, its directions S and their products use the first {@code
   * size}.
   */
  private static final class Run {
    private static final int SIZE = 0;
    private static final int VERIFIED = 1;
    private static final int FACTOR = 2;

    private final SolveSession s;
    private final double tolerance;
    private final int m;
    private final double[] norms;
    private final Tensor x;
    private final Tensor d;
    private final Tensor q;
    private final Tensor directions;
    private final Tensor products;
    private final double[] scalars;

    Run(SolveSession session, double tolerance) {
      s = session;
      this.tolerance = tolerance;
      m = s.problem().systems();
      norms = rowNorms(s.problem().rhs());
      x = s.vector("x");
      d = s.vector("d");
      q = s.vector("q");
      directions = s.vector("s");
      products = s.scratch();
      scalars = s.scalars(FACTOR + m * m);
      if (!s.resume()) {
        s.copy(s.problem().rhs(), q);
        scalars[VERIFIED] = 1;
        restart();
      }
    }

    List<Solution> run() {
      while (s.mayIterate()) {
        int size = size();
        s.product(directions.slice(0, size), products.slice(0, size));
        DenseMatrix gram = new DenseMatrix(gram(size));
        if (!gram.positiveDefinite()) {
          return finish(StopReason.NEGATIVE_CURVATURE, negative());
        }
        step(gram, size);
        double worst = worst(factorNorms());
        boolean verify = size() == 0 || worst <= tolerance && worst <= 0.5 * scalars[VERIFIED];
        double[] residuals = verify ? recomputed() : null;
        StopReason verdict = verify ? verdict(worst(residuals)) : null;
        if (verify) {
          worst = worst(residuals);
          restart();
        }
        boolean interrupted = s.endIteration(worst * s.rhsNorm());
        if (verdict != null) {
          return s.finishAll(x, relative(residuals), verdict, words(verdict));
        }
        if (interrupted) {
          s.absorb(d, x);
          double[] unknown = new double[m];
          Arrays.fill(unknown, Double.NaN);
          return s.finishAll(
              x, unknown, StopReason.INTERRUPTED,
              "interrupted after iteration " + s.iterations());
        }
      }
      return finish(
          StopReason.MAX_ITERATIONS,
          Text.format("reached the maximum of %d iterations", s.iterations()));
    }

    private int size() {
      return (int) scalars[SIZE];
    }

    /** SᵀAS of the present directions. */
    private double[][] gram(int size) {
      double[][] gram = new double[size][size];
      for (int i = 0; i < size; i++) {
        for (int j = 0; j <= i; j++) {
          gram[i][j] = s.dot(directions.row(i), products.row(j));
          gram[j][i] = gram[i][j];
        }
      }
      return gram;
    }

    /** X += S ξ C, Q ζ = Q − A S ξ, S = Q + S ζᵀ, C = ζ C, with ξ = (SᵀAS)⁻¹. */
    private void step(DenseMatrix gram, int size) {
      for (int j = 0; j < m; j++) {
        double[] weights = new double[size];
        for (int i = 0; i < size; i++) {
          weights[i] = factor(i, j);
        }
        addCombination(gram.solve(weights), 1, directions, d.row(j));
      }
      for (int j = 0; j < size; j++) {
        double[] unit = new double[size];
        unit[j] = 1;
        addCombination(gram.solve(unit), -1, products, q.row(j));
      }
      double[][] zeta = new double[size][size];
      int next = orthonormalise(size, zeta);
      for (int i = 0; i < next; i++) {
        s.copy(q.row(i), products.row(i));
        addCombination(zeta[i], 1, directions, products.row(i));
      }
      if (next > 0) {
        s.copy(products.slice(0, next), directions.slice(0, next));
      }
      double[] old = Arrays.copyOfRange(scalars, FACTOR, scalars.length);
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) {
          double sum = 0;
          for (int l = 0; i < next && l < size; l++) {
            sum += zeta[i][l] * old[l * m + j];
          }
          scalars[FACTOR + i * m + j] = sum;
        }
      }
      scalars[SIZE] = next;
    }

    private double factor(int i, int j) {
      return scalars[FACTOR + i * m + j];
    }

    private void addCombination(double[] weights, double sign, Tensor rows, Tensor target) {
      for (int i = 0; i < weights.length; i++) {
        if (weights[i] != 0) {
          s.axpy(sign * weights[i], rows.row(i), target);
        }
      }
    }

    /** Factors the residuals that lie in Q, and takes them for directions. */
    private void restart() {
      double[][] factor = new double[m][m];
      int size = orthonormalise(m, factor);
      for (int i = 0; i < m; i++) {
        System.arraycopy(factor[i], 0, scalars, FACTOR + i * m, m);
      }
      if (size > 0) {
        s.copy(q.slice(0, size), directions.slice(0, size));
      }
      scalars[SIZE] = size;
    }

    /**
     * Makes the first {@code count} rows of Q orthonormal by Gram and Schmidt, twice, and drops
     * those that depend on earlier ones.
     *
     * @param factor zeros on entry; row j was Σᵢ factor[i][j]·(new row i)
     * @return rows left
     */
    private int orthonormalise(int count, double[][] factor) {
      int kept = 0;
      for (int j = 0; j < count; j++) {
        Tensor row = q.row(j);
        double before = s.norm(row);
        for (int pass = 0; pass < 2; pass++) {
          for (int i = 0; i < kept; i++) {
            double part = s.dot(q.row(i), row);
            s.axpy(-part, q.row(i), row);
            factor[i][j] += part;
          }
        }
        double after = s.norm(row);
        if (!(after > DEPENDENT * s.epsilon() * before)) {
          continue;
        }
        s.scale(1 / after, row);
        factor[kept][j] = after;
        if (kept < j) {
          s.copy(row, q.row(kept));
        }
        kept++;
      }
      return kept;
    }

    /** R = B − (C + λI) X into Q; the norm of each row. */
    private double[] recomputed() {
      s.absorb(d, x);
      s.residual(x, q);
      return rowNorms(q);
    }

    private double[] rowNorms(Tensor rows) {
      double[] result = new double[m];
      for (int j = 0; j < m; j++) {
        result[j] = s.norm(rows.row(j));
      }
      return result;
    }

    /** Norms of the residuals by their factor C. */
    private double[] factorNorms() {
      double[] result = new double[m];
      for (int j = 0; j < m; j++) {
        double sum = 0;
        for (int i = 0; i < size(); i++) {
          sum += factor(i, j) * factor(i, j);
        }
        result[j] = Math.sqrt(sum);
      }
      return result;
    }

    private double[] relative(double[] residuals) {
      double[] result = new double[m];
      for (int j = 0; j < m; j++) {
        result[j] = norms[j] == 0 ? 0 : residuals[j] / norms[j];
      }
      return result;
    }

    private double worst(double[] residuals) {
      return Arrays.stream(relative(residuals)).max().orElse(0);
    }

    private StopReason verdict(double worst) {
      if (worst <= tolerance) {
        return StopReason.CONVERGED;
      }
      boolean better = worst <= WORTHWHILE * scalars[VERIFIED];
      scalars[VERIFIED] = worst;
      return better ? null : StopReason.STAGNATED;
    }

    private List<Solution> finish(StopReason reason, String why) {
      return s.finishAll(x, relative(recomputed()), reason, why);
    }

    private String words(StopReason verdict) {
      return verdict == StopReason.CONVERGED
          ? Text.format("residuals of %d systems within the tolerance after %d iterations", m, s.iterations())
          : "rounding allows no smaller residual; use a larger damping or tolerance, or the"
              + " reference device";
    }

    private String negative() {
      return Text.format(
          "negative curvature at iteration %d: vᵀ(C+λI)v ≤ 0 for some v; use a larger damping,"
              + " curvature ggn, or solver minres",
          s.iterations() + 1);
    }
  }
}
