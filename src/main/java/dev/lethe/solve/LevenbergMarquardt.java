package dev.lethe.solve;

import dev.lethe.backend.Backend;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.DatasetCurvature;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.curvature.RepeatedGradient;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;

/**
 * Brings an adapter to a minimum of F(θ) = (1/n) Σᵢ ℓᵢ(θ) + ½·wd·‖θ‖², where influence theory
 * holds: damped Newton steps (C + (wd + μ)I) s = −∇F by conjugate gradients, μ following how well
 * the quadratic model predicted the decrease. Moré 1978; Martens, ICML 2010. Dropout is off.
 */
public final class LevenbergMarquardt {
  private static final double HOPELESS = 1e12;

  private final DatasetLoss loss;
  private final Options options;
  private final MemoryBudget budget;
  private final Backend backend;

  public LevenbergMarquardt(DatasetLoss loss, Options options, MemoryBudget budget) {
    this.loss = loss;
    this.options = options;
    this.budget = budget;
    this.backend = loss.backend();
  }

  /**
   * Moves θ until ‖∇F‖ is within the tolerance.
   *
   * @param theta (P), updated in place
   */
  public Result minimise(Tensor theta, Monitor monitor) {
    try (Scope scope = backend.openScope("levenberg-marquardt")) {
      Point here = new Point(theta, zeros(scope));
      Point trial = new Point(zeros(scope), zeros(scope));
      try (RepeatedGradient gradient =
          new RepeatedGradient(loss, trial.theta, 1.0 / loss.size(), trial.gradient)) {
        backend.vectors().copy(theta, trial.theta);
        evaluate(trial, gradient);
        here.take(trial, backend);
        return new Descent(here, trial, gradient, monitor).run();
      }
    }
  }

  /** One minimisation. */
  private final class Descent {
    private final Point here;
    private final Point trial;
    private final RepeatedGradient gradient;
    private final Monitor monitor;
    private final double firstNorm;
    private double damping = options.initialDamping();
    private int step;
    private long products;

    Descent(Point here, Point trial, RepeatedGradient gradient, Monitor monitor) {
      this.here = here;
      this.trial = trial;
      this.gradient = gradient;
      this.monitor = monitor;
      this.firstNorm = here.norm;
    }

    Result run() {
      while (here.norm > options.gradientTolerance()) {
        if (!moveOn()) {
          return end(false, monitor.interrupted() ? "interrupted" : stuck());
        }
      }
      return end(true, "gradient within the tolerance");
    }

    private String stuck() {
      return step == options.maxSteps()
          ? "reached the maximum of steps"
          : "no step lowers the objective any more: rounding dominates";
    }

    private Result end(boolean converged, String stop) {
      return new Result(here.objective, here.norm, step, products, converged, stop);
    }

    /** Tries steps from here with growing damping until one is accepted. */
    private boolean moveOn() {
      try (DatasetCurvature curvature =
          new DatasetCurvature(
              options.curvature(), loss, here.theta, loss.size(), budget)) {
        boolean moved = false;
        while (!moved
            && step < options.maxSteps()
            && damping < HOPELESS
            && !monitor.interrupted()) {
          double ratio = attempt(curvature);
          moved = ratio > 0;
          step++;
          Point now = moved ? trial : here;
          monitor.onStep(step, now.objective, now.norm, damping, moved);
          damping = next(damping, ratio);
        }
        products += curvature.products();
        if (moved) {
          here.take(trial, backend);
        }
        return moved;
      }
    }

    /**
     * Solves for a step and evaluates where it leads.
     *
     * @return decrease of F over the decrease predicted; not positive where the step must not be
     *     taken
     */
    private double attempt(DatasetCurvature curvature) {
      try (Scope scope = backend.openScope("levenberg-marquardt step")) {
        Tensor b = zeros(scope);
        backend.vectors().axpy(-1, here.gradient, b);
        double tolerance = Math.clamp(Math.sqrt(here.norm / firstNorm), 1e-6, 0.1);
        LinearProblem problem =
            new LinearProblem(backend, curvature, options.weightDecay() + damping, b, scope);
        SolverOptions limits = SolverOptions.of(tolerance, options.maxProducts(), 0);
        Solution solution = new ConjugateGradient().solve(problem, limits, SolverMonitor.NONE);
        if (solution.reason() == StopReason.NEGATIVE_CURVATURE) {
          return -1;
        }
        Tensor s = solution.x();
        backend.vectors().copy(here.theta, trial.theta);
        backend.vectors().axpy(1, s, trial.theta);
        evaluate(trial, gradient);
        double square = backend.vectors().dot(s, s);
        double predicted = 0.5 * (backend.vectors().dot(b, s) + damping * square);
        double decrease = here.objective - trial.objective;
        double rounding = 64 * roundingError() * Math.max(1, Math.abs(here.objective));
        if (Math.abs(decrease) <= rounding && predicted <= rounding) {
          return trial.norm < here.norm ? 1 : -1;
        }
        return decrease / predicted;
      }
    }
  }

  /**
   * @param gradient of the losses at this point
   */
  private void evaluate(Point at, RepeatedGradient gradient) {
    backend.vectors().fill(at.gradient, 0);
    double[] losses = gradient.add();
    backend.vectors().axpy(options.weightDecay(), at.theta, at.gradient);
    double square = backend.vectors().dot(at.theta, at.theta);
    at.objective =
        Arrays.stream(losses).sum() / loss.size() + 0.5 * options.weightDecay() * square;
    at.norm = backend.vectors().norm(at.gradient);
  }

  private static double next(double damping, double ratio) {
    if (ratio > 0.75) {
      return Math.max(damping / 4, 1e-15);
    }
    return ratio < 0.25 ? 4 * damping : damping;
  }

  private double roundingError() {
    return backend.vectorType().bytes() == Double.BYTES ? 0x1p-53 : 0x1p-24;
  }

  private Tensor zeros(Scope scope) {
    Tensor vector = scope.allocate(backend.vectorType(), loss.parameters());
    backend.vectors().fill(vector, 0);
    return vector;
  }

  /** A θ with the objective's value and gradient there. */
  private static final class Point {
    private final Tensor theta;
    private final Tensor gradient;
    private double objective;
    private double norm;

    Point(Tensor theta, Tensor gradient) {
      this.theta = theta;
      this.gradient = gradient;
    }

    void take(Point other, Backend backend) {
      backend.vectors().copy(other.theta, theta);
      backend.vectors().copy(other.gradient, gradient);
      objective = other.objective;
      norm = other.norm;
    }
  }

  /** Watches a minimisation and may stop it between steps. */
  public interface Monitor {
    /** Watches nothing. */
    Monitor NONE = new Monitor() {};

    /** Called after every step with the values where θ now is: moved, or as before. */
    default void onStep(
        int step, double objective, double gradientNorm, double damping, boolean accepted) {}

    /** True stops at the present θ. Unless told otherwise, an interrupt of the thread does that. */
    default boolean interrupted() {
      return Thread.currentThread().isInterrupted();
    }
  }

  /**
   * @param weightDecay wd ≥ 0
   * @param gradientTolerance done where ‖∇F‖ is at most this
   * @param maxSteps the most steps, rejected ones included
   * @param curvature C: hessian, whose negative curvature raises μ, took a fifth of the products
   *     that ggn took on small problems and ends quadratically
   * @param initialDamping the first μ, above 0
   * @param maxProducts the most products a step
   */
  public record Options(
      double weightDecay,
      double gradientTolerance,
      int maxSteps,
      Curvature curvature,
      double initialDamping,
      int maxProducts) {
    /** The exact Hessian from μ = 1, at most 200 products a step. */
    public static Options of(double weightDecay, double gradientTolerance, int maxSteps) {
      return new Options(weightDecay, gradientTolerance, maxSteps, Curvature.HESSIAN, 1, 200);
    }
  }

  /**
   * @param objective F at the end
   * @param gradientNorm ‖∇F‖ at the end
   * @param steps done, rejected ones included
   * @param products spent
   * @param converged whether the gradient is within the tolerance
   * @param stop why it ended, in words
   */
  public record Result(
      double objective,
      double gradientNorm,
      int steps,
      long products,
      boolean converged,
      String stop) {}
}
