package dev.lethe.unlearn;

import dev.lethe.backend.Backend;
import dev.lethe.backend.VectorKernels;
import dev.lethe.replay.ReplayProbe;
import dev.lethe.replay.RowGradients;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.RowEdits;
import dev.lethe.unlearn.Certificate.Point;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;

/**
 * Holds the operator of a replay against the truth at a few steps: the change of the retained rows' gradient of that
 * step's batch, from the recorded parameters to the replayed ones, by the model.
 */
final class OperatorCheck implements ReplayProbe {
  private static final double[] WHERE = {0.2, 0.4, 0.6, 0.8, 1};

  private final Recording recording;
  private final RowEdits edits;
  private final RowGradients gradients;
  private final Backend backend;
  private final TreeSet<Integer> due = new TreeSet<>();
  private final List<Point> points = new ArrayList<>();
  private long rowGradients;
  private double seconds;

  OperatorCheck(Recording recording, RowEdits edits, RowGradients gradients, Backend backend) {
    this.recording = recording;
    this.edits = edits;
    this.gradients = gradients;
    this.backend = backend;
    int steps = recording.log().steps();
    int first = recording.firstTouched(edits);
    for (double part : WHERE) {
      due.add((int) Math.min(steps - 1, first + Math.round(part * (steps - first))));
    }
  }

  @Override
  public void look(At at) {
    if (!due.contains(at.step())) {
      return;
    }
    Recording.WeightedRows rows = recording.retainedRows(at.step(), edits);
    if (rows.rows().isEmpty()) {
      return;
    }
    long began = System.nanoTime();
    double[] back = Arrays.stream(rows.weights()).map(w -> -w).toArray();
    double share = Arrays.stream(rows.weights()).sum();
    VectorKernels vectors = backend.vectors();
    try (Scope scope = backend.openScope("check of the operator")) {
      Tensor truth = scope.allocate(backend.vectorType(), 1, at.theta().elements());
      vectors.fill(truth, 0);
      gradients.add(
          at.step(), rows.rows(), new double[][] {rows.weights()}, at.thetas().row(0), truth);
      gradients.add(at.step(), rows.rows(), new double[][] {back}, at.theta(), truth);
      points.add(point(at, rows.rows().size(), share, truth.row(0)));
    }
    rowGradients += 2L * rows.rows().size();
    seconds += (System.nanoTime() - began) * 1e-9;
  }

  private Point point(At at, int rows, double share, Tensor truth) {
    VectorKernels vectors = backend.vectors();
    double size = vectors.norm(truth);
    double estimate = share * vectors.norm(at.product().row(0));
    double inner = share * vectors.dot(truth, at.product().row(0));
    double error = Math.sqrt(Math.max(0, size * size + estimate * estimate - 2 * inner));
    return new Point(at.step() + 1, rows, error / size, inner / (size * estimate));
  }

  List<Point> points() {
    return points;
  }

  /** Gradients of single rows that the check took. */
  long rowGradients() {
    return rowGradients;
  }

  double seconds() {
    return seconds;
  }
}
