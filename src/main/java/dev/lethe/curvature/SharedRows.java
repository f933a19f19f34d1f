package dev.lethe.curvature;

import dev.lethe.backend.Backend;
import dev.lethe.curvature.sum.BlockRange;
import dev.lethe.curvature.sum.PartialSum;
import dev.lethe.curvature.sum.SentSum;
import dev.lethe.data.work.RowPart;
import dev.lethe.data.work.RowTask;
import dev.lethe.data.work.RowWorker;
import dev.lethe.data.work.RowWorkers;
import dev.lethe.data.work.Shared;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.tensor.TensorBytes;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * A data set's losses and their derivatives, made in parts by the workers of its model, to the bytes of one machine.
 */
final class SharedRows implements AutoCloseable {
  private final DatasetLoss loss;
  private final RowWorkers<AdaptedModel> workers;
  private final List<Shared<RowPart>> parts = new ArrayList<>();

  SharedRows(DatasetLoss loss, RowWorkers<AdaptedModel> workers) {
    this.loss = loss;
    this.workers = workers;
    int count = Math.min(workers.count(), loss.blocks());
    for (int i = 0; i < count; i++) {
      parts.add(workers.share(loss.rowPart(BlockRange.part(i, count, loss.blocks()))));
    }
  }

  /** Losses, and the nodes of the gradients' sum. */
  record Gradient(double[] losses, List<PartialSum> parts) {}

  private record SentGradient(double[] losses, ArrayList<SentSum> sums) implements Serializable {}

  /** What happens to a part at θ, on a worker. */
  @FunctionalInterface
  private interface Work<R extends Serializable> extends Serializable {
    R on(DatasetLoss part, Tensor theta);
  }

  /** Work at θ as a task. */
  private record AtTheta<R extends Serializable>(
      Shared<TensorBytes> theta, BatchLimits limits, Work<R> work)
      implements RowTask<AdaptedModel, RowPart, R> {
    @Override
    public R run(RowWorker<AdaptedModel> worker, RowPart part) {
      AdaptedModel model = worker.model();
      try (Scope scope = model.backend().openScope("shared rows")) {
        DatasetLoss own = DatasetLoss.ofPart(model, limits, part);
        return work.on(own, HostTensors.uploaded(model.backend(), scope, theta.get().tensor()));
      }
    }
  }

  private <R extends Serializable> List<R> run(Tensor theta, Work<R> work) {
    try (Shared<TensorBytes> sent = send(theta)) {
      return run(new AtTheta<>(sent, loss.limits(), work));
    }
  }

  /** Runs a task for each part of the rows. */
  <R extends Serializable> List<R> run(RowTask<AdaptedModel, RowPart, R> task) {
    return workers.run(parts, task);
  }

  /** Makes a vector known to the workers. */
  Shared<TensorBytes> send(Tensor vector) {
    return workers.share(TensorBytes.of(HostTensors.download(loss.backend(), vector)));
  }

  double[] losses(Tensor theta) {
    return joined(run(theta, DatasetLoss::losses).stream());
  }

  private static double[] joined(Stream<double[]> parts) {
    return parts.flatMapToDouble(Arrays::stream).toArray();
  }

  Gradient gradient(Tensor theta, double scale) {
    List<SentGradient> sent =
        run(
            theta,
            (part, at) -> {
              Gradient own = part.gradient(at, scale);
              return new SentGradient(own.losses, sent(own.parts));
            });
    return new Gradient(
        joined(sent.stream().map(SentGradient::losses)),
        received(sent.stream().map(SentGradient::sums).toList()));
  }

  static ArrayList<SentSum> sent(List<PartialSum> parts) {
    return new ArrayList<>(parts.stream().map(SentSum::of).toList());
  }

  static List<PartialSum> received(List<? extends List<SentSum>> parts) {
    return parts.stream().flatMap(List::stream).map(SentSum::part).toList();
  }

  double[][] dots(Tensor theta, List<Tensor> vectors) {
    List<Shared<TensorBytes>> sent = vectors.stream().map(this::send).toList();
    ArrayList<Shared<TensorBytes>> all = new ArrayList<>(sent);
    try {
      List<double[][]> parts =
          run(
              theta,
              (part, at) -> {
                try (Scope scope = part.backend().openScope("shared vectors")) {
                  return part.dots(
                      at,
                      all.stream()
                          .map(v -> HostTensors.uploaded(part.backend(), scope, v.get().tensor()))
                          .toList());
                }
              });
      double[][] dots = new double[parts.getFirst().length][];
      for (int j = 0; j < dots.length; j++) {
        int row = j;
        dots[j] = joined(parts.stream().map(part -> part[row]));
      }
      return dots;
    } finally {
      sent.forEach(Shared::close);
    }
  }

  /** Gradients of some blocks at a time, one a worker: so many are in memory here. */
  static void perSample(DatasetLoss loss, Tensor theta, PerSampleSink sink) {
    RowWorkers<AdaptedModel> workers = loss.model().workers();
    int first = 0;
    for (int from = 0; from < loss.blocks(); from += workers.count()) {
      DatasetLoss next =
          loss.part(new BlockRange(from, Math.min(loss.blocks(), from + workers.count())));
      try (SharedRows rows = new SharedRows(next, workers)) {
        for (ArrayList<TensorBytes> gradients : rows.run(theta, SharedRows::gradients)) {
          for (TensorBytes block : gradients) {
            first += hand(loss.backend(), block.tensor(), first, sink);
          }
        }
      }
    }
  }

  private static ArrayList<TensorBytes> gradients(DatasetLoss part, Tensor theta) {
    ArrayList<TensorBytes> blocks = new ArrayList<>();
    part.perSample(
        theta,
        (first, gradients) ->
            blocks.add(TensorBytes.of(HostTensors.download(part.backend(), gradients))));
    return blocks;
  }

  private static int hand(Backend backend, Tensor host, int first, PerSampleSink sink) {
    try (Scope scope = backend.openScope("per-sample gradients")) {
      sink.accept(first, HostTensors.uploaded(backend, scope, host));
    }
    return Math.toIntExact(host.dim(0));
  }

  /** Lets the workers forget the rows. */
  @Override
  public void close() {
    parts.forEach(Shared::close);
  }
}
