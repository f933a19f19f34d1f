package dev.lethe.unlearn.baseline;

import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.OtherLosses;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import java.util.ArrayList;
import java.util.List;

/**
 * Losses and gradients that methods are made of. Counts what they cost: one for a forward and a backward of a row, one
 * half for a forward alone or a backward alone. Everything is without dropout.
 */
public final class BaselineWork {
  private final BaselineTask task;
  private final BaselineMonitor monitor;
  private final Backend backend;
  private final List<String> notes = new ArrayList<>();
  private double sampleGradients;

  public BaselineWork(BaselineTask task, BaselineMonitor monitor) {
    this.task = task;
    this.monitor = monitor;
    this.backend = task.model().backend();
  }

  /** What it took so far, in gradients of single rows. */
  public long sampleGradients() {
    return (long) Math.ceil(sampleGradients);
  }

  /** What the certificate should say. */
  public List<String> notes() {
    return List.copyOf(notes);
  }

  void note(String words) {
    notes.add(words);
  }

  BaselineTask task() {
    return task;
  }

  AdaptedModel model() {
    return task.model();
  }

  UnlearnRequest request() {
    return task.request();
  }

  Backend backend() {
    return backend;
  }

  /** A vector (P) of zeros. */
  Tensor vector(Scope scope) {
    Tensor vector = scope.allocate(backend.vectorType(), model().layout().size());
    backend.vectors().fill(vector, 0);
    return vector;
  }

  /** The losses of rows as a function of θ. */
  DatasetLoss loss(List<Sample> rows) {
    return new DatasetLoss(model(), rows, task.limits()).watched(done -> stopIfAsked());
  }

  /** ℓᵢ(θ) of rows, in their order. */
  double[] losses(List<Sample> rows, Tensor theta) {
    count(0.5 * rows.size());
    return loss(rows).losses(theta);
  }

  /** Adds Σᵢ wᵢ∇ℓᵢ(θ) to g (P), each wᵢ from the row's loss at θ. */
  void addGradient(List<Sample> rows, Tensor theta, RowWeights weights, Tensor g) {
    Tensor sum = g.reshape(1, g.elements());
    forEachPack(
        rows,
        (first, members, batch) -> {
          try (Scope scope = backend.openScope("weights");
              Linearization at = new Linearization(backend, model().tape(batch), theta)) {
            double[] losses = at.losses();
            double[] values = new double[losses.length];
            for (int i = 0; i < values.length; i++) {
              values[i] = weights.of(first + i, members.get(i), losses[i]);
            }
            Tensor device = scope.allocate(backend.vectorType(), 1, values.length);
            backend.upload(Tensor.of(Shape.of(1, values.length), values), device);
            at.addWeightedGradient(device, 1, sum);
          }
        });
    count(rows.size());
  }

  /** Adds weight·(mean over rows of ∇KL(reference‖θ)) to g (P). */
  void addDivergenceGradient(List<Sample> rows, Tensor reference, Tensor theta, double weight, Tensor g) {
    double scale = weight / rows.size();
    forEachPack(
        rows,
        (first, members, batch) ->
            OtherLosses.addDivergenceGradient(backend, model().tape(batch), reference, theta, scale, g));
    count(1.5 * rows.size());
  }

  /**
   * Adds weight·∇(mean over rows, their tokens and features of (h − target)²) to g (P), h what leaves the first layers.
   *
   * @param targets one vector for all tokens of all rows, or a matrix (tokens,D) for each row
   */
  void addHiddenGradient(
      List<Sample> rows, int layers, HiddenTargets targets, Tensor theta, double weight, Tensor g) {
    double scale = weight / rows.size();
    forEachPack(
        rows,
        (first, members, batch) -> {
          AdaptedModel.HiddenTape hidden = model().hiddenTape(batch, layers);
          OtherLosses.addGradient(
              backend,
              hidden.tape(),
              theta,
              hidden.states(),
              states -> targets.gradient(states, hidden.tape().packing(), first),
              scale,
              g);
        });
    count(rows.size());
  }

  /** What leaves the first layers, (tokens,D) for each row. */
  List<double[][]> hidden(List<Sample> rows, int layers, Tensor theta) {
    List<double[][]> all = new ArrayList<>();
    forEachPack(
        rows,
        (first, members, batch) -> {
          AdaptedModel.HiddenTape hidden = model().hiddenTape(batch, layers);
          Shape shape = Shape.of(hidden.states().rows(), hidden.states().width());
          Tensor host = HostTensors.zeros(backend.activationType(), shape);
          Gradients.value(backend, hidden.tape(), theta, hidden.states(), host);
          all.addAll(HiddenTargets.split(host.toDoubles(), hidden.tape().packing(), hidden.states().width()));
        });
    count(0.5 * rows.size());
    return all;
  }

  /** Notes work that was done elsewhere. */
  void count(double gradients) {
    sampleGradients += gradients;
  }

  void phase(String name, long steps) {
    stopIfAsked();
    monitor.onPhase(name, steps);
  }

  void done(long steps) {
    stopIfAsked();
    monitor.onDone(steps);
  }

  boolean interrupted() {
    return monitor.interrupted();
  }

  void stopIfAsked() {
    if (monitor.interrupted()) {
      throw new UnlearnInterrupted(null);
    }
  }

  private void forEachPack(List<Sample> rows, Pack work) {
    int first = 0;
    for (List<Sample> members : Batches.split(rows, task.limits().maxSamples(), task.limits().maxTokens())) {
      stopIfAsked();
      try (Batch batch = Batch.of(members, backend)) {
        work.accept(first, members, batch);
      }
      first += members.size();
    }
  }

  @FunctionalInterface
  private interface Pack {
    void accept(int first, List<Sample> members, Batch batch);
  }
}
