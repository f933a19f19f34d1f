package dev.lethe.solve;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.DampedOperator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * (C + λI) x = b for many λ from one Krylov space: C and C + λI span the same, so that one product
 * an iteration serves every damping. Conjugate gradients by the Lanczos process (D-Lanczos: Saad,
 * Iterative Methods for Sparse Linear Systems, 2nd ed., 6.7.1), whose pivots are shifted for each
 * λ; on multi-shift methods see Frommer and others, hep-lat/9504020, and Jegerlehner,
 * hep-lat/9612014.
 *
 * <p>A damping whose residual is within the tolerance rests, so the smallest decides the number of
 * products. In the end all residuals are recomputed in one pass of products; where rounding left
 * one above the tolerance, {@link ConjugateGradient} goes on from there with what is left of the
 * iterations. A pivot ≤ 0 shows that C + λI is not positive definite: that damping ends with {@link
 * StopReason#NEGATIVE_CURVATURE} and its last iterate, the others go on.
 */
public final class DampingSweep {
  private static final String NAME = "damping-sweep";

  private DampingSweep() {}

  /**
   * @param problem C, b (P), and the scope of the solutions; its damping is added to every one
   * @param dampings different numbers, 0 or more
   * @param options the tolerance holds for each; the maximum of iterations for the common space
   * @param monitor hears the largest residual among those still at work
   * @return one for each damping, in the given order; all {@link StopReason#INTERRUPTED} with an
   *     unknown residual where the monitor asked for it
   */
  public static List<Row> solve(
      LinearProblem problem, List<Double> dampings, SolverOptions options, SolverMonitor monitor) {
    require(dampings);
    LinearProblem common =
        new LinearProblem(
            problem.backend(), problem.curvature(), problem.damping(), problem.system(0).rhs(),
            problem.owner());
    try (SolveSession session = new SolveSession(NAME, common, options, monitor)) {
      return new Run(session, options, dampings).run();
    }
  }

  private static void require(List<Double> dampings) {
    dampings.forEach(DampingSweep::requireOne);
    if (dampings.isEmpty() || dampings.stream().distinct().count() < dampings.size()) {
      throw new LetheException(
          "damping sweep", "the dampings must be different", "at least one number, none twice",
          dampings.toString(), "Pass another list.");
    }
  }

  private static void requireOne(Double damping) {
    DampedOperator.requireDamping(damping);
  }

  /**
   * One damping.
   *
   * @param damping λ as given
   * @param solution its step, with the recomputed residual; products are those of the whole sweep
   * @param norm ‖x‖
   * @param linear ⟨b, x⟩
   * @param quadratic xᵀ(C + λ₀I)x, λ₀ the damping of the problem itself
   */
  public record Row(
      double damping, Solution solution, double norm, double linear, double quadratic) {
    /**
     * What the quadratic model, whose gradient is −b, says that the step changes: −⟨b,x⟩ + ½xᵀCx.
     */
    public double predictedChange() {
      return -linear + 0.5 * quadratic;
    }
  }

  private static final class Run {
    private static final int BETA = 0;
    private static final int PER_SHIFT = 1;
    private static final int PIVOT = 0;
    private static final int ZETA = 1;
    private static final int RESIDUAL = 2;
    private static final int ENDED_AT = 3;
    private static final int NOT_DEFINITE = 4;
    private static final int FIELDS = 5;

    private final SolveSession s;
    private final SolverOptions options;
    private final List<Double> dampings;
    private final Tensor old;
    private final Tensor v;
    private final Tensor w;
    private final Tensor[] x;
    private final Tensor[] p;
    private final double[] scalars;

    Run(SolveSession session, SolverOptions options, List<Double> dampings) {
      s = session;
      this.options = options;
      this.dampings = dampings;
      int count = dampings.size();
      old = s.vector("old");
      v = s.vector("v");
      w = s.scratch();
      x = new Tensor[count];
      p = new Tensor[count];
      for (int i = 0; i < count; i++) {
        x[i] = s.vector("x/" + dampings.get(i));
        p[i] = s.vector("p/" + dampings.get(i));
      }
      scalars = s.scalars(PER_SHIFT + FIELDS * count);
      if (!s.resume() && s.rhsNorm() > 0) {
        s.axpby(1 / s.rhsNorm(), s.problem().rhs(), 0, v);
        for (int i = 0; i < count; i++) {
          set(i, RESIDUAL, s.rhsNorm());
        }
      }
    }

    List<Row> run() {
      while (s.rhsNorm() > 0 && s.mayIterate() && anyAtWork()) {
        s.product(v, w);
        s.axpy(-scalars[BETA], old, w);
        double alpha = s.dot(w, v);
        s.axpy(-alpha, v, w);
        double next = s.norm(w);
        double worst = 0;
        for (int i = 0; i < x.length; i++) {
          if (atWork(i)) {
            advance(i, alpha, next);
            worst = Math.max(worst, get(i, RESIDUAL));
          }
        }
        if (next > 0) {
          s.copy(v, old);
          s.axpby(1 / next, w, 0, v);
        }
        scalars[BETA] = next;
        if (s.endIteration(worst)) {
          return interrupted();
        }
      }
      return finish();
    }

    /** The next pivot and iterate of one damping; its residual by the recurrence. */
    private void advance(int i, double alpha, double next) {
      boolean first = s.iterations() == 0;
      double beta = scalars[BETA];
      double lower = first ? 0 : beta / get(i, PIVOT);
      double zeta = first ? s.rhsNorm() : -lower * get(i, ZETA);
      double pivot = alpha + dampings.get(i) - lower * beta;
      if (!(pivot > 0)) {
        set(i, NOT_DEFINITE, 1);
        set(i, ENDED_AT, s.iterations() + 1.0);
        return;
      }
      s.axpby(1 / pivot, v, -beta / pivot, p[i]);
      s.axpy(zeta, p[i], x[i]);
      set(i, PIVOT, pivot);
      set(i, ZETA, zeta);
      set(i, RESIDUAL, next * Math.abs(zeta / pivot));
      if (s.withinTolerance(get(i, RESIDUAL))) {
        set(i, ENDED_AT, s.iterations() + 1.0);
      }
    }

    private boolean anyAtWork() {
      for (int i = 0; i < x.length; i++) {
        if (atWork(i)) {
          return true;
        }
      }
      return false;
    }

    private boolean atWork(int i) {
      return get(i, ENDED_AT) == 0;
    }

    private double get(int i, int field) {
      return scalars[PER_SHIFT + FIELDS * i + field];
    }

    private void set(int i, int field, double value) {
      scalars[PER_SHIFT + FIELDS * i + field] = value;
    }

    private List<Row> interrupted() {
      List<Row> rows = new ArrayList<>();
      for (int i = 0; i < x.length; i++) {
        rows.add(new Row(dampings.get(i), s.interrupted(x[i]), Double.NaN, Double.NaN, Double.NaN));
      }
      return rows;
    }

    private List<Row> finish() {
      Backend backend = s.problem().backend();
      long size = s.problem().curvature().dimension();
      try (Scope scope = backend.openScope(NAME)) {
        Tensor steps = scope.allocate(backend.vectorType(), x.length, size);
        Tensor products = scope.allocate(backend.vectorType(), x.length, size);
        for (int i = 0; i < x.length; i++) {
          s.copy(x[i], steps.row(i));
        }
        s.product(steps, products);
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < x.length; i++) {
          rows.add(row(i, products.row(i)));
        }
        return rows;
      }
    }

    /** The row of damping i, from (C + λ₀I) x, which is overwritten. */
    private Row row(int i, Tensor product) {
      double quadratic = s.dot(x[i], product);
      double norm = residual(i, product);
      int iterations = (int) (atWork(i) ? s.iterations() : get(i, ENDED_AT));
      boolean definite = get(i, NOT_DEFINITE) == 0;
      int left = options.maxIterations() - s.iterations();
      if (definite && !atWork(i) && !s.withinTolerance(norm) && left > 0) {
        Solution rest = goOn(i, product, norm, left);
        s.axpy(1, rest.x(), x[i]);
        s.problem().owner().release(rest.x());
        iterations += rest.iterations();
        s.product(x[i], product);
        quadratic = s.dot(x[i], product);
        norm = residual(i, product);
      }
      StopReason reason = verdict(i, norm);
      Solution solution = s.finish(x[i], norm, reason, words(reason, iterations));
      double linear = s.dot(s.problem().rhs(), x[i]);
      return new Row(
          dampings.get(i), withIterations(solution, iterations), s.norm(x[i]), linear, quadratic);
    }

    /** r = b − (C + λ₀I)x − λx in place of the product; its norm. */
    private double residual(int i, Tensor product) {
      s.axpy(dampings.get(i), x[i], product);
      s.axpby(1, s.problem().rhs(), -1, product);
      return s.norm(product);
    }

    private Solution goOn(int i, Tensor residual, double norm, int iterations) {
      LinearProblem rest =
          new LinearProblem(
              s.problem().backend(), s.problem().curvature(),
              s.problem().damping() + dampings.get(i), residual, s.problem().owner());
      double tolerance = Math.min(0.5, 0.9 * options.tolerance() * s.rhsNorm() / norm);
      return new ConjugateGradient()
          .solve(
              rest,
              SolverOptions.of(tolerance, iterations, options.seed()),
              SolverMonitor.NONE);
    }

    private StopReason verdict(int i, double norm) {
      if (get(i, NOT_DEFINITE) != 0) {
        return StopReason.NEGATIVE_CURVATURE;
      }
      if (s.withinTolerance(norm)) {
        return StopReason.CONVERGED;
      }
      return atWork(i) ? StopReason.MAX_ITERATIONS : StopReason.STAGNATED;
    }

    private static String words(StopReason reason, int iterations) {
      return switch (reason) {
        case CONVERGED -> Text.format("residual within the tolerance after %d iterations", iterations);
        case NEGATIVE_CURVATURE ->
            Text.format(
                "negative curvature at iteration %d; use a larger damping, curvature ggn, or solver"
                    + " minres",
                iterations);
        case MAX_ITERATIONS -> Text.format("reached the maximum of %d iterations", iterations);
        default ->
            "rounding allows no smaller residual; use a larger damping or tolerance, or the"
                + " reference device";
      };
    }

    private static Solution withIterations(Solution of, int iterations) {
      double[] history = of.residualHistory();
      return new Solution(
          of.x(), iterations, of.products(), of.relativeResidual(), of.converged(), of.reason(),
          of.stop(), of.times(), Arrays.copyOf(history, Math.min(history.length, iterations)));
    }
  }
}
