package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.backend.Vectors;
import dev.lethe.backend.kernel.SketchKernels;
import dev.lethe.data.Sample;
import dev.lethe.format.file.TemporaryMemory;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.LoggedStep;
import dev.lethe.trajectory.TrainingLog;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * What the operator misses, measured at a few steps of a replay and added at all steps of the next. At a measured step
 * the retained rows' gradient at θ′ₖ is made by the model; at θₖ the log has it. A residual is carried to other steps in
 * proportion to ‖θ′ₖ − θₖ‖.
 */
final class Residuals implements ReplayProbe, StepCorrection {
  /** Parts of a run in each of which a correction keeps its direction; short beside what smooths it. */
  private static final int PARTS = 256;

  private final TrainingLog log;
  private final List<Sample> rows;
  private final ReplayRequest request;
  private final RowGradients gradients;
  private final Backend backend;
  private final TemporaryMemory memory;
  private Set<Integer> due = Set.of();
  private double[] distances;
  private double[] seen;
  private final List<Point> points = new ArrayList<>();
  private Smoothed careful;
  private Smoothed bold;
  private Tensor stacked;
  private long rowGradients;
  private double seconds;

  /**
   * @param rows by their places in the log; null for rows that were removed before
   * @param memory where vectors are kept
   */
  Residuals(
      TrainingLog log,
      List<Sample> rows,
      ReplayRequest request,
      RowGradients gradients,
      Backend backend,
      TemporaryMemory memory) {
    this.log = log;
    this.rows = rows;
    this.request = request;
    this.gradients = gradients;
    this.backend = backend;
    this.memory = memory;
  }

  /** The next replay measures at these steps. */
  void measure(Set<Integer> steps) {
    seen = new double[log.steps()];
    due = steps;
  }

  @Override
  public void look(At at) {
    Vectors vectors = backend.vectors();
    seen[at.step()] = vectors.norm(at.difference().row(0));
    if (!due.contains(at.step()) || seen[at.step()] == 0) {
      return;
    }
    LoggedStep step = log.step(at.step());
    double[] weights = weights(step);
    int[] left = IntStream.range(0, weights.length).filter(i -> weights[i] != 0).toArray();
    if (left.length == 0) {
      return;
    }
    long began = System.nanoTime();
    List<Sample> retained = IntStream.of(left).mapToObj(i -> read(step.rows()[i])).toList();
    double[][] used = {IntStream.of(left).mapToDouble(i -> weights[i]).toArray()};
    try (Scope scope = backend.openScope("measured step")) {
      Tensor truth = scope.allocate(backend.vectorType(), 1, at.theta().elements());
      vectors.fill(truth, 0);
      gradients.add(at.step(), retained, used, at.thetas().row(0), truth);
      double took = (System.nanoTime() - began) * 1e-9;
      vectors.axpy(-1, at.gradient(), truth.row(0));
      vectors.axpy(-1, at.rowsChange().row(0), truth.row(0));
      points.add(point(at, retained.size(), took, truth.row(0)));
    }
    rowGradients += retained.size();
    seconds += (System.nanoTime() - began) * 1e-9;
  }

  /** Overwrites the truth with what the estimate misses. */
  private Point point(At at, int count, double took, Tensor truth) {
    Vectors vectors = backend.vectors();
    Tensor estimate = at.estimate().row(0);
    double size = vectors.norm(truth);
    double cosine = vectors.dot(truth, estimate) / (size * vectors.norm(estimate));
    vectors.axpy(-1, estimate, truth);
    Tensor host = memory.allocate(truth.dtype(), truth.shape());
    backend.download(truth, host);
    return new Point(at.step(), count, took, seen[at.step()], size, cosine, host);
  }

  private double[] weights(LoggedStep step) {
    boolean[] gone = new boolean[step.rows().length];
    for (int i = 0; i < gone.length; i++) {
      RowChange change = request.changes().get(step.rows()[i]);
      gone[i] = change != null && change.removes();
    }
    return request.divisor().weights(step.weights(), gone);
  }

  private Sample read(int place) {
    RowChange change = request.changes().get(place);
    return change == null ? rows.get(place) : change.replacement();
  }

  /** The replay is over: the next one adds what was measured so far. Vectors are of the given scope. */
  void fit(Scope scope) {
    distances = seen;
    if (points.isEmpty()) {
      return;
    }
    double[] times = points.stream().mapToDouble(p -> time(p.step)).toArray();
    long size = points.getFirst().residual.elements();
    if (stacked != null) {
      scope.release(stacked);
      scope.release(careful.sum);
      scope.release(bold.sum);
    }
    stacked = scope.allocate(backend.vectorType(), points.size(), size);
    for (int j = 0; j < points.size(); j++) {
      backend.upload(points.get(j).residual, stacked.row(j));
    }
    careful = new Smoothed(Smoother.careful(times, log.steps()), scope.allocate(backend.vectorType(), 1, size));
    double epoch = (double) log.rows().size() / log.step(0).rows().length;
    bold = new Smoothed(Smoother.bold(times, log.steps(), epoch), scope.allocate(backend.vectorType(), 1, size));
  }

  private double time(double step) {
    return step / log.steps();
  }

  @Override
  public void add(int step, Tensor difference, Tensor estimate) {
    add(careful, step, estimate.row(0));
  }

  /** For two streams: the first has the same correction hardly shrunk. */
  StepCorrection boldAndCareful() {
    return (step, difference, estimate) -> {
      add(bold, step, estimate.row(0));
      add(careful, step, estimate.row(1));
    };
  }

  private void add(Smoothed residuals, int step, Tensor estimate) {
    if (residuals != null && distances[step] != 0) {
      backend.vectors().axpy(distances[step], residuals.at(step), estimate);
    }
  }

  /** Residuals for every unit of distance, smoothed over time. */
  private final class Smoothed {
    private final Smoother smoother;
    private final Tensor sum;
    private int part = -1;

    /**
     * @param sum (1,P), for what a part of the run adds
     */
    Smoothed(Smoother smoother, Tensor sum) {
      this.smoother = smoother;
      this.sum = sum;
    }

    /** Those of a step, (P), valid until the next call. */
    Tensor at(int step) {
      int length = Math.ceilDiv(log.steps(), PARTS);
      if (part != step / length) {
        part = step / length;
        combine(smoother.weights(time(part * length + (length - 1) / 2.0)));
      }
      return sum.row(0);
    }

    private void combine(double[] weights) {
      for (int j = 0; j < weights.length; j++) {
        weights[j] /= points.get(j).distance;
      }
      backend.vectors().fill(sum, 0);
      try (Scope scope = backend.openScope("weights of residuals")) {
        Tensor row = HostTensors.uploaded(backend, scope, Tensor.of(Shape.of(1, weights.length), weights));
        backend.run(new SketchKernels.AddCombination(row, 1, stacked, sum));
      }
    }
  }

  /** What was measured; the corrected error at each step is that of a correction from the others alone. */
  List<Measurement> measurements() {
    List<Measurement> all = new ArrayList<>();
    for (int j = 0; j < points.size(); j++) {
      Point p = points.get(j);
      double error = backend.vectors().norm(stacked.row(j)) / p.size;
      all.add(new Measurement(p.step, p.rows, error, p.cosine, leftOut(j) / p.size, p.took));
    }
    return all;
  }

  private double leftOut(int j) {
    int[] others = IntStream.range(0, points.size()).filter(i -> i != j).toArray();
    Smoother without =
        Smoother.careful(
            IntStream.of(others).mapToDouble(i -> time(points.get(i).step)).toArray(), log.steps());
    double[] weights = without.weights(time(points.get(j).step));
    Vectors vectors = backend.vectors();
    try (Scope scope = backend.openScope("left-out measurement")) {
      Tensor error = scope.allocate(backend.vectorType(), stacked.dim(1));
      vectors.copy(stacked.row(j), error);
      for (int i = 0; i < others.length; i++) {
        double ratio = points.get(j).distance / points.get(others[i]).distance;
        vectors.axpy(-weights[i] * ratio, stacked.row(others[i]), error);
      }
      return vectors.norm(error);
    }
  }

  long rowGradients() {
    return rowGradients;
  }

  double seconds() {
    return seconds;
  }

  /**
   * @param took seconds of the rows' gradients
   * @param distance ‖θ′ − θ‖
   * @param size ‖truth‖
   * @param residual truth − estimate, host (P)
   */
  private record Point(
      int step, int rows, double took, double distance, double size, double cosine, Tensor residual) {}
}
