package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.solve.DampingSweep;
import dev.lethe.solve.LinearProblem;
import dev.lethe.solve.Solution;
import dev.lethe.solve.SolverMonitor;
import dev.lethe.solve.StopReason;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.DampingTable;
import dev.lethe.unlearn.result.ExactStep;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import java.util.ArrayList;
import java.util.List;

/** Makes a {@link DampingTable} of a request. */
final class DampingRun {
  private final AdaptedModel model;
  private final UnlearnRequest request;
  private final EraserOptions options;
  private final EraserMonitor monitor;
  private final Backend backend;

  DampingRun(
      AdaptedModel model,
      UnlearnRequest request,
      EraserOptions options,
      EraserMonitor monitor) {
    this.model = model;
    this.request = request;
    this.options = options;
    this.monitor = monitor;
    this.backend = model.backend();
  }

  DampingTable run(List<Double> dampings) {
    if (request.effective().isEmpty()) {
      throw new LetheException(
          "damping sweep", "the request changes nothing", "rows to forget or to replace", "none",
          "Name rows with --forget or --replace.");
    }
    long start = System.nanoTime();
    Tensor theta = model.adapter().theta();
    try (Scope scope = backend.openScope("damping sweep")) {
      Tensor b = scope.allocate(backend.vectorType(), model.layout().size());
      phase("gradients of the request");
      Objectives objectives = new Objectives(model, request, List.of(), options.measuring(), done -> {});
      objectives.request(theta, b);
      DrawnRows rows = DrawnRows.ofCurvature(request, options);
      phase("curvature");
      try (CurvatureOperator curvature =
          rows.curvature(model, theta, options, options.memory())) {
        phase("solve");
        LinearProblem problem =
            new LinearProblem(backend, curvature, options.weightDecay(), b, scope);
        List<DampingSweep.Row> found =
            DampingSweep.solve(problem, dampings, options.solving(), new Watch());
        Tensor before = HostTensors.download(backend, theta);
        double perRow = (double) request.rows() / request.effective().size();
        List<DampingTable.Line> lines = new ArrayList<>();
        for (DampingSweep.Row row : found) {
          if (row.solution().reason() == StopReason.INTERRUPTED) {
            throw new UnlearnInterrupted(null);
          }
          lines.add(line(row, before, perRow));
        }
        double seconds = (System.nanoTime() - start) * 1e-9;
        return new DampingTable(lines, curvature.products(), seconds);
      }
    }
  }

  private DampingTable.Line line(DampingSweep.Row row, Tensor before, double perRow) {
    Solution solution = row.solution();
    Tensor delta = HostTensors.download(backend, solution.x());
    Tensor after = HostTensors.copy(before);
    for (long i = 0; i < after.elements(); i++) {
      after.set(i, after.get(i) + delta.get(i));
    }
    return new DampingTable.Line(
        row.damping(),
        solution.iterations(),
        solution.relativeResidual(),
        solution.converged(),
        solution.reason(),
        solution.stop(),
        row.norm(),
        row.predictedChange(),
        row.linear() * perRow,
        ExactStep.between(before, after));
  }

  private void phase(String name) {
    if (monitor.interrupted()) {
      throw new UnlearnInterrupted(null);
    }
    monitor.onPhase(name, 0);
  }

  private final class Watch implements SolverMonitor {
    @Override
    public void onIteration(int iteration, double residual) {
      monitor.onIteration(1, iteration, options.solving().maxIterations(), residual);
    }

    @Override
    public boolean interrupted() {
      return monitor.interrupted();
    }
  }
}
