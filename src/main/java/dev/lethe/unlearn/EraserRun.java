package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.Vectors;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DampedOperator;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.solve.LinearProblem;
import dev.lethe.solve.Solution;
import dev.lethe.solve.Solver;
import dev.lethe.solve.Solvers;
import dev.lethe.solve.StopReason;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.EraserOptions.OuterTarget;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.certificate.Certificate.Gradients;
import dev.lethe.unlearn.certificate.Certificate.OuterStep;
import dev.lethe.unlearn.certificate.CertificateParts;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.Checkpoint;
import dev.lethe.unlearn.result.ExactStep;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * One run of an {@link Eraser}: the vectors on the backend, the outer steps, and what is measured.
 */
final class EraserRun {
  private final AdaptedModel model;
  private final UnlearnRequest request;
  private EraserOptions options;
  private final List<Sample> heldOut;
  private final EraserMonitor monitor;
  private final Checkpoint checkpoint;
  private final boolean resume;
  private final Backend backend;
  private final Vectors vectors;
  private final Stopwatch watch = new Stopwatch();
  private final List<OuterStep> steps = new ArrayList<>();

  /** The checkpoint is null where no state is kept. */
  EraserRun(
      AdaptedModel model,
      UnlearnRequest request,
      EraserOptions options,
      List<Sample> heldOut,
      EraserMonitor monitor,
      Checkpoint checkpoint,
      boolean resume) {
    this.model = model;
    this.request = request;
    this.options = options;
    this.heldOut = heldOut;
    this.monitor = monitor;
    this.checkpoint = checkpoint;
    this.resume = resume;
    this.backend = model.backend();
    this.vectors = backend.vectors();
  }

  /**
   * Does it.
   *
   * @param damping the request's own; null where the options' is to be taken
   * @param record of the adapter's training, for the certificate; null where there is none
   */
  UnlearnResult run(RequestDamping damping, TrainingRecord record) {
    LoraAdapter adapter = model.adapter().copy();
    boolean changes = !request.effective().isEmpty();
    boolean done = false;
    try (Scope scope = backend.openScope("unlearn")) {
      EraserFindings found = changes ? unlearn(adapter, scope, damping) : nothing(adapter);
      Certificate certificate =
          EraserCertificate.of(model, adapter, request, found, record, watch);
      done = true;
      Path state = checkpoint == null ? null : checkpoint.written();
      return new UnlearnResult(
          adapter, found.step(), changes, certificate, request, List.of(), state);
    } finally {
      if (!done) {
        adapter.close();
      }
    }
  }

  private EraserFindings nothing(LoraAdapter adapter) {
    return new EraserFindings(
        options, 0, List.of(), Measurements.NONE, ExactStep.none(HostTensors.download(adapter)));
  }

  private EraserFindings unlearn(LoraAdapter adapter, Scope scope, RequestDamping damping) {
    Tensor theta = adapter.theta();
    Objectives objectives = new Objectives(model, request, heldOut, options.measuring(), this::rowsDone);
    Tensor b = vector(scope);
    Tensor g = vector(scope);
    Tensor trained = vector(scope);
    int rows = objectives.targetRows();
    phase("gradients of the request" + (rows == 0 ? "" : " and of the target objective"), rows);
    double[] targetLosses =
        watch.gradients(
            () -> {
              objectives.request(theta, b);
              return objectives.targetGradient(theta, g);
            });
    if (damping != null) {
      options = options.withDamping(damping.of(HostTensors.download(backend, b)));
    }
    vectors.copy(g, trained);
    vectors.axpy(1, b, trained);
    Before before =
        new Before(
            measured(trained),
            measured(g),
            vectors.norm(b),
            watch.evaluation(() -> objectives.means(theta, targetLosses)));
    Tensor start = vector(scope);
    vectors.copy(theta, start);
    DrawnRows rowsOfCurvature = DrawnRows.ofCurvature(request, options);
    if (options.released()) {
      released(theta);
    } else {
      outerSteps(theta, new Directions(b, g, trained), rowsOfCurvature, objectives, scope);
    }
    requireFinite(theta);
    Tensor after = HostTensors.download(backend, theta);
    ExactStep step = ExactStep.between(HostTensors.download(backend, start), after);
    backend.upload(after, theta);
    Measurements measurements = measure(before, start, theta, g, objectives);
    return new EraserFindings(options, rowsOfCurvature.samples().size(), steps, measurements, step);
  }

  private void outerSteps(
      Tensor theta, Directions at, DrawnRows rows, Objectives objectives, Scope scope) {
    Checkpoint.State state = resume && checkpoint != null ? checkpoint.load() : null;
    int first = 1;
    if (state != null) {
      first = state.outerStep();
      steps.addAll(state.done());
      watch.add(state.seconds());
      backend.upload(state.theta(), theta);
    }
    for (int k = first; k <= options.outerSteps(); k++) {
      if (k > 1) {
        phase("gradient of the target objective", request.target().size());
        watch.gradients(() -> objectives.targetGradient(theta, at.g));
      }
      Double targetNorm = measured(at.g);
      Tensor rhs = k == 1 ? at.b : at.towardsTarget(vectors, options.outerTarget());
      Map<String, Tensor> solver = state != null && k == first ? state.solver() : Map.of();
      EraserSolveMonitor solve =
          new EraserSolveMonitor(
              monitor,
              checkpoint,
              k,
              options.solving().maxIterations(),
              HostTensors.download(backend, theta),
              List.copyOf(steps),
              watch,
              solver);
      Solution solution = solve(theta, rhs, rows, scope, solve);
      Double elsewhere = residualOnOthers(theta, rhs, rows, solution.x());
      vectors.axpy(1, solution.x(), theta);
      steps.add(
          new OuterStep(
              k,
              vectors.norm(rhs),
              vectors.norm(solution.x()),
              solution.iterations(),
              solution.products(),
              solution.relativeResidual(),
              elsewhere,
              solution.converged(),
              solution.stop(),
              targetNorm));
      scope.release(solution.x());
    }
  }

  private Solution solve(
      Tensor theta, Tensor rhs, DrawnRows rows, Scope scope, EraserSolveMonitor solve) {
    phase("curvature", 0);
    try (CurvatureOperator curvature =
        watch.linearization(() -> rows.curvature(model, theta, options, options.memory()))) {
      phase("solve", 0);
      LinearProblem problem = new LinearProblem(backend, curvature, diagonal(), rhs, scope);
      Solver solver = Solvers.byName(options.solver());
      Solution solution = solver.solve(problem, options.solving(), solve);
      watch.add(solution.times());
      if (solution.reason() == StopReason.INTERRUPTED) {
        throw interrupted();
      }
      requireUsable(solution, problem);
      return solution;
    }
  }

  /**
   * ‖(C'+λI)Δ − b‖/‖b‖ with C' the curvature of as many other rows: what drawing rows costs. Null where all rows were
   * taken.
   */
  private Double residualOnOthers(Tensor theta, Tensor rhs, DrawnRows rows, Tensor step) {
    DrawnRows others = rows.others(options.solving().seed()).orElse(null);
    double norm = vectors.norm(rhs);
    if (others == null || norm == 0) {
      return null;
    }
    phase("curvature of other rows", 0);
    return watch.products(
        () -> {
          try (Scope scope = backend.openScope("other rows");
              CurvatureOperator curvature =
                  others.curvature(model, theta, options, MemoryBudget.NONE)) {
            Tensor residual = vector(scope);
            new DampedOperator(backend, curvature, diagonal())
                .apply(asRow(step), asRow(residual));
            vectors.axpy(-1, rhs, residual);
            return vectors.norm(residual) / norm;
          }
        });
  }

  /** What is added to the curvature: damping, and weight decay of the objective. */
  private double diagonal() {
    return options.damping() + options.weightDecay();
  }

  private static Tensor asRow(Tensor vector) {
    return vector.reshape(1, vector.elements());
  }

  private void released(Tensor theta) {
    phase("the released LLMEraser procedure", 0);
    ReleasedLlmEraser procedure =
        new ReleasedLlmEraser(model, request, options.solving().seed());
    steps.add(watch.products(() -> procedure.step(theta, monitor)));
  }

  private void requireFinite(Tensor theta) {
    if (!vectors.allFinite(theta)) {
      throw new LetheException(
          "unlearning",
          "the new parameters are not finite",
          "finite numbers",
          "NaN or infinity",
          "Use a larger damping, or the reference device.");
    }
  }

  private Measurements measure(
      Before before, Tensor start, Tensor theta, Tensor g, Objectives objectives) {
    phase("losses after", objectives.targetRows());
    double[] targetLosses = watch.gradients(() -> objectives.targetGradient(theta, g));
    Objectives.Means means = watch.evaluation(() -> objectives.means(theta, targetLosses));
    return new Measurements(
        new Gradients(
            (long) objectives.targetRows(),
            before.trained,
            before.target,
            measured(g),
            before.requested,
            before.trained == null ? null : CertificateParts.ratio(before.trained, before.requested)),
        objectives.losses(before.means, means),
        CertificateParts.weights(model, start, theta));
  }

  /** The norm of a gradient that target rows are part of; null where none of them is measured. */
  private Double measured(Tensor gradient) {
    return options.certificateRows() == 0 ? null : vectors.norm(gradient);
  }

  private static void requireUsable(Solution solution, LinearProblem problem) {
    StopReason reason = solution.reason();
    if (reason == StopReason.NEGATIVE_CURVATURE || reason == StopReason.DIVERGED) {
      throw new LetheException(
          "solve with " + problem.operatorName(),
          solution.stop(),
          null,
          null,
          "Use --curvature ggn, a larger --damping, or --solver minres for an indefinite Hessian.");
    }
  }

  private void phase(String name, long rows) {
    stopIfAsked();
    monitor.onPhase(name, rows);
  }

  private void rowsDone(int done) {
    stopIfAsked();
    monitor.onRows(done);
  }

  private void stopIfAsked() {
    if (monitor.interrupted()) {
      throw interrupted();
    }
  }

  private UnlearnInterrupted interrupted() {
    return new UnlearnInterrupted(checkpoint == null ? null : checkpoint.written());
  }

  private Tensor vector(Scope scope) {
    return scope.allocate(backend.vectorType(), model.layout().size());
  }

  /**
   * What is measured before the step; norms of gradients that no target row is part of are null.
   *
   * @param trained norm of the trained objective's gradient
   * @param target norm of the target objective's gradient
   * @param requested norm of b
   * @param means of the losses
   */
  private record Before(
      Double trained, Double target, double requested, Objectives.Means means) {}

  /**
   * The vectors of a run.
   *
   * @param b what the request asks for
   * @param g the target objective's gradient at the present parameters
   * @param trained the trained objective's gradient at the old ones
   */
  private record Directions(Tensor b, Tensor g, Tensor trained) {

    /** −g, or −(g − trained): overwrites g. */
    private Tensor towardsTarget(Vectors vectors, OuterTarget target) {
      vectors.axpby(target == OuterTarget.ANCHORED ? 1 : 0, trained, -1, g);
      return g;
    }
  }
}
