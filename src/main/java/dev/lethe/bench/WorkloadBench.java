package dev.lethe.bench;

import dev.lethe.autograd.Adjoints;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.backend.KernelRecording;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.function.Consumer;

/** A workload's batch of random tokens on a model, and the operations on it, ready to be run again and again. */
public final class WorkloadBench implements AutoCloseable {
  private static final double DEVIATION = 0.02;

  private final Workload workload;
  private final Backend backend;
  private final Tensor theta;
  private final long seed;
  private final Scope scope;
  private final Batch batch;
  private final Tape tape;

  /**
   * Fills the adapter with random values and makes the batch.
   *
   * @param model of the workload's dimensions
   */
  public WorkloadBench(Workload workload, AdaptedModel model, long seed) {
    this.workload = workload;
    this.backend = model.backend();
    this.theta = model.adapter().theta();
    this.seed = seed;
    scope = backend.openScope("bench");
    RandomData.fill(backend, theta, DEVIATION, seed + 1);
    batch =
        Batch.of(
            RandomData.rows(workload.batch(), i -> workload.seq(), workload.vocabulary(), seed + 3), backend);
    tape = model.tape(batch);
  }

  /**
   * Prepares an operation and hands it over.
   *
   * @param vectors of an operation on several
   * @param measure runs what it is given as often as it likes
   */
  public void prepare(Operation op, int vectors, Consumer<Runnable> measure) {
    double scale = 1.0 / workload.batch();
    int rows = op == Operation.PER_SAMPLE ? workload.batch() : op.block() ? vectors : 1;
    try (Scope own = backend.openScope(op.label())) {
      Tensor v = own.allocate(backend.vectorType(), rows, theta.elements());
      Tensor g = own.allocate(backend.vectorType(), rows, theta.elements());
      RandomData.fill(backend, v, DEVIATION, seed + 2);
      backend.vectors().fill(g, 0);
      switch (op) {
        case FORWARD -> measure.accept(() -> Gradients.losses(backend, tape, theta));
        case GRAD ->
            measure.accept(
                awaited(g, () -> Gradients.addGradient(backend, tape, theta, scale, g.row(0))));
        case PER_SAMPLE ->
            measure.accept(awaited(g, () -> Gradients.perSample(backend, tape, theta, g)));
        case HVP -> measure.accept(awaited(g, () -> once(Adjoints.LOSS, at -> at.addHvp(v, scale, g))));
        case GGN -> measure.accept(awaited(g, () -> once(Adjoints.NONE, at -> at.addGgn(v, scale, g))));
        case HVP_AGAIN, HVP_BLOCK ->
            once(Adjoints.ALL, at -> repeated(op, g, () -> at.addHvp(v, scale, g), measure));
        case GGN_AGAIN, GGN_BLOCK ->
            once(Adjoints.NONE, at -> repeated(op, g, () -> at.addGgn(v, scale, g), measure));
      }
    }
  }

  /** Measures work that solvers repeat unchanged, by a recording where the backend makes one. */
  private void repeated(Operation op, Tensor result, Runnable work, Consumer<Runnable> measure) {
    try (KernelRecording recording = backend.record(op.label(), work)) {
      measure.accept(awaited(result, recording::replay));
    }
  }

  /** The work and then a value of its result, for which a device that queues must finish. */
  private Runnable awaited(Tensor result, Runnable work) {
    Tensor first = result.reshape(result.elements()).slice(0, 1);
    Tensor host = Tensor.of(Shape.of(1), new double[1]);
    return () -> {
      work.run();
      backend.download(first, host);
    };
  }

  private void once(Adjoints wanted, Consumer<Linearization> use) {
    try (Linearization at = new Linearization(backend, tape, theta, wanted)) {
      use.accept(at);
    }
  }

  @Override
  public void close() {
    batch.close();
    scope.close();
  }
}
