package dev.lethe.solve;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.StochasticCurvature;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleSupplier;

/**
 * What every iterative solver shares: timed and checked products and vector arithmetic, the
 * residual history, the state that is saved and resumed, and the solution at the end.
 *
 * <p>A solver declares all vectors and scalars that its next iteration depends on; nothing else may
 * carry over from one iteration to the next.
 */
final class SolveSession implements AutoCloseable {
  private final String solver;
  private final LinearProblem problem;
  private final SolverOptions options;
  private final SolverMonitor monitor;
  private final Backend backend;
  private final Scope scope;
  private final long begun = System.nanoTime();
  private final long productsBefore;
  private final Map<String, Tensor> vectors = new LinkedHashMap<>();
  private double[] scalars = {};
  private double[] history = {};
  private long productNanos;
  private long vectorNanos;
  private final double rhsNorm;

  SolveSession(
      String solver, LinearProblem problem, SolverOptions options, SolverMonitor monitor) {
    this.solver = solver;
    this.problem = problem;
    this.options = options;
    this.monitor = monitor;
    this.backend = problem.backend();
    this.productsBefore = problem.curvature().products();
    this.rhsNorm = norm(problem.rhs());
    if (!Double.isFinite(rhsNorm)) {
      throw notFinite("the right-hand side b", "Check the gradients that b is made of.");
    }
    this.scope = backend.openScope("solver " + solver);
  }

  LinearProblem problem() {
    return problem;
  }

  SolverOptions options() {
    return options;
  }

  /** ‖b‖; of several right-hand sides the root of the sum of squares. */
  double rhsNorm() {
    return rhsNorm;
  }

  /** Whether a residual norm is within the tolerance. */
  boolean withinTolerance(double residualNorm) {
    return residualNorm <= options.tolerance() * rhsNorm;
  }

  /**
   * Whether to recompute the residual: a recurrence says that it is within the tolerance, and less
   * than half of what the last recomputed one was, so that a near miss is not missed again.
   */
  boolean worthVerifying(double residualNorm, double lastVerified) {
    return withinTolerance(residualNorm) && residualNorm <= 0.5 * lastVerified;
  }

  /** Relative rounding error of the vectors' format. */
  double epsilon() {
    return backend.vectorType().bytes() == Double.BYTES ? 0x1p-53 : 0x1p-24;
  }

  /** A work vector of zeros in the shape of b that is not part of the state. */
  Tensor scratch() {
    Tensor vector = scope.allocate(backend.vectorType(), problem.rhs().shape());
    fill(vector, 0);
    return vector;
  }

  /** A vector of zeros in the shape of b that is part of the state. */
  Tensor vector(String name) {
    Tensor vector = scratch();
    vectors.put(name, vector);
    return vector;
  }

  /** The scalars that are part of the state. */
  double[] scalars(int count) {
    scalars = new double[count];
    return scalars;
  }

  /** Loads the state into the declared vectors and scalars; false where this is a new solve. */
  boolean resume() {
    Map<String, Tensor> state = monitor.load();
    if (state.isEmpty()) {
      return false;
    }
    SolverState.of(solver, problem, rhsNorm).restore(state, backend, vectors, scalars);
    history = state.get(SolverState.HISTORY).toDoubles();
    return true;
  }

  int iterations() {
    return history.length;
  }

  boolean mayIterate() {
    return history.length < options.maxIterations();
  }

  /**
   * Ends an iteration: history, monitor, state.
   *
   * @return whether to stop because somebody asked for it
   */
  boolean endIteration(double residualNorm) {
    history = Arrays.copyOf(history, history.length + 1);
    history[history.length - 1] = residualNorm / rhsNorm;
    monitor.onIteration(history.length, residualNorm / rhsNorm);
    boolean interrupted = monitor.interrupted();
    if (interrupted || monitor.wantsState(history.length)) {
      SolverState state = SolverState.of(solver, problem, rhsNorm);
      monitor.save(state.capture(backend, vectors, scalars, history));
    }
    return interrupted;
  }

  /** out = (C + λI) v, checked to be finite; v (P), or several vectors (k,P). */
  void product(Tensor v, Tensor out) {
    if (v.shape().rank() == 1) {
      products(asRow(v), asRow(out));
    } else {
      products(v, out);
    }
  }

  /** As {@link #product} for k vectors at once: v, out (k,P). */
  void products(Tensor v, Tensor out) {
    multiply(() -> problem.curvature().apply(v, out), v, out);
  }

  /** out = the mini-batch's estimate of (C + λI) v, checked to be finite. */
  void batchProduct(StochasticCurvature curvature, int batch, Tensor v, Tensor out) {
    Tensor row = asRow(out);
    multiply(() -> curvature.applyBatch(batch, asRow(v), row), asRow(v), row);
  }

  private void multiply(Runnable product, Tensor v, Tensor out) {
    long start = System.nanoTime();
    product.run();
    productNanos += System.nanoTime() - start;
    boolean finite =
        timed(
                () -> {
                  if (problem.damping() != 0) {
                    backend.vectors().axpy(problem.damping(), v, out);
                  }
                  return backend.vectors().allFinite(out) ? 1 : 0;
                })
            == 1;
    if (!finite) {
      throw notFinite(
          "a product with " + problem.operatorName(),
          "Check the data and the adapter with lethe evaluate; a larger damping, a smaller step or"
              + " the reference device may help.");
    }
  }

  private LetheException notFinite(String what, String remedy) {
    return new LetheException(
        Text.format("solver %s, iteration %d", solver, history.length + 1),
        what + " is not finite", "finite numbers", "NaN or infinity", remedy);
  }

  /**
   * x = x + d, d = 0. A solver that collects its steps in d until the residual is recomputed rounds
   * them against d, which shrinks from one restart to the next, and not against x each time: van der
   * Vorst and Ye, SIAM J. Sci. Comput. 22 (2000) 835.
   */
  void absorb(Tensor d, Tensor x) {
    axpy(1, d, x);
    fill(d, 0);
  }

  /** r = b − (C + λI) x; returns ‖r‖. */
  double residual(Tensor x, Tensor r) {
    product(x, r);
    axpby(1, problem.rhs(), -1, r);
    return norm(r);
  }

  double dot(Tensor x, Tensor y) {
    return timed(() -> backend.vectors().dot(x, y));
  }

  double norm(Tensor x) {
    return timed(() -> backend.vectors().norm(x));
  }

  void fill(Tensor x, double value) {
    timed(() -> backend.vectors().fill(x, value));
  }

  void copy(Tensor x, Tensor y) {
    timed(() -> backend.vectors().copy(x, y));
  }

  void scale(double a, Tensor x) {
    timed(() -> backend.vectors().scale(a, x));
  }

  void axpy(double a, Tensor x, Tensor y) {
    timed(() -> backend.vectors().axpy(a, x, y));
  }

  void axpby(double a, Tensor x, double b, Tensor y) {
    timed(() -> backend.vectors().axpby(a, x, b, y));
  }

  private void timed(Runnable work) {
    timed(
        () -> {
          work.run();
          return 0;
        });
  }

  private double timed(DoubleSupplier work) {
    long start = System.nanoTime();
    double result = work.getAsDouble();
    vectorNanos += System.nanoTime() - start;
    return result;
  }

  /** x = 0 solves the system where b is 0. */
  Solution zero() {
    return finish(scratch(), 0, StopReason.CONVERGED, "the right-hand side is 0");
  }

  /** Stopped by the monitor: the residual is not recomputed. */
  Solution interrupted(Tensor x) {
    return finish(
        x, Double.NaN, StopReason.INTERRUPTED, "interrupted after iteration " + iterations());
  }

  /** As {@link #finish(Tensor, double, StopReason, String)}, with the residual recomputed here. */
  Solution finish(Tensor x, StopReason reason, String why) {
    return finish(x, residual(x, scratch()), reason, why);
  }

  /**
   * The solution, copied to the problem's scope.
   *
   * @param residualNorm ‖(C+λI)x − b‖ as recomputed from x
   */
  Solution finish(Tensor x, double residualNorm, StopReason reason, String why) {
    return solution(x, rhsNorm == 0 ? 0 : residualNorm / rhsNorm, reason, why, 1);
  }

  /**
   * The solutions of several systems, each with its share of products and time.
   *
   * @param x (m,P)
   * @param residuals relative residual of each, as recomputed from x
   * @param reason why those ended that are not within the tolerance
   */
  List<Solution> finishAll(Tensor x, double[] residuals, StopReason reason, String why) {
    List<Solution> solutions = new ArrayList<>();
    for (int i = 0; i < residuals.length; i++) {
      boolean converged = residuals[i] <= options.tolerance();
      StopReason own = converged ? StopReason.CONVERGED : reason;
      solutions.add(solution(x.row(i), residuals[i], own, why, residuals.length));
    }
    return solutions;
  }

  private Solution solution(
      Tensor x, double relativeResidual, StopReason reason, String why, int systems) {
    Tensor copy = problem.owner().allocate(backend.vectorType(), x.elements());
    copy(x, copy);
    double total = (System.nanoTime() - begun) * 1e-9 / systems;
    double products = productNanos * 1e-9 / systems;
    double arithmetic = vectorNanos * 1e-9 / systems;
    TimeSplit times =
        new TimeSplit(products, arithmetic, Math.max(0, total - products - arithmetic));
    return new Solution(
        copy,
        iterations(),
        Math.ceilDiv(problem.curvature().products() - productsBefore, systems),
        relativeResidual,
        relativeResidual <= options.tolerance(),
        reason,
        why,
        times,
        history.clone());
  }

  @Override
  public void close() {
    scope.close();
  }

  private static Tensor asRow(Tensor vector) {
    return vector.reshape(1, vector.elements());
  }
}
