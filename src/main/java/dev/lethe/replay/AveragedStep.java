package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.DrawnPass;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.format.file.TemporaryMemory;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.operator.SketchedGgn;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * One step from averages over a training, where there is no trajectory to replay:
 *
 * <pre>
 * Δ = (C̄ + √v̂/τ)⁻¹ c̄      c̄ = (1/n) Σ_S [∇ℓ(old) − ∇ℓ(new)]      τ = Σ learning rates
 * </pre>
 *
 * with Gauss-Newton curvature C̄, c̄ and AdamW's √v̂ averaged over a few states of the run. C̄ comes from gradients with
 * labels drawn from the model, which are kept in a temporary file.
 */
public final class AveragedStep implements AutoCloseable {
  /** Where in a run the averages are taken, as parts of its steps. */
  public static final List<Double> WHERE = List.of(.03, .12, .3, .5, .7, .9);

  /** Drawn gradients in all; fewer leave directions without curvature. */
  private static final int SKETCH_ROWS = 2400;

  /** Of a row at a state; more where there are few rows. */
  private static final int DRAWS = 2;

  /** Of one state. */
  private static final int WANTED = Math.ceilDiv(SKETCH_ROWS, WHERE.size());

  private final AdaptedModel model;
  private final List<Sample> target;
  private final Collection<RowChange> changes;
  private final double rows;
  private final BatchLimits limits;
  private final Backend backend;
  private final TemporaryMemory memory;
  private final List<SketchedGgn.Part> sketch = new ArrayList<>();
  private final double[] diagonal;
  private final double[] request;
  private long rowGradients;

  /**
   * @param target the rows as they should have been
   * @param rows n, how many rows were trained on
   */
  public AveragedStep(
      AdaptedModel model,
      List<Sample> target,
      Collection<RowChange> changes,
      int rows,
      BatchLimits limits) {
    this.model = model;
    this.target = target;
    this.changes = changes;
    this.rows = rows;
    this.limits = limits;
    this.backend = model.backend();
    int size = Math.toIntExact(model.layout().size());
    this.diagonal = new double[size];
    this.request = new double[size];
    this.memory = new TemporaryMemory("lethe-averages");
  }

  /**
   * Adds the request's gradients at a state of the run.
   *
   * @param theta (P)
   * @param share its part of the average over steps; they sum to 1
   */
  public void addRequest(Tensor theta, double share) {
    try (Scope scope = backend.openScope("request")) {
      Tensor c = scope.allocate(backend.vectorType(), theta.elements());
      backend.vectors().fill(c, 0);
      List<Sample> old = changes.stream().map(RowChange::original).toList();
      List<Sample> fresh =
          changes.stream().filter(x -> !x.removes()).map(RowChange::replacement).toList();
      new DatasetLoss(model, old, limits).addGradient(theta, share / rows, c);
      new DatasetLoss(model, fresh, limits).addGradient(theta, -share / rows, c);
      rowGradients += old.size() + fresh.size();
      double[] values = download(c);
      for (int i = 0; i < values.length; i++) {
        request[i] += values[i];
      }
    }
  }

  /**
   * Adds curvature and damping at a state of the run.
   *
   * @param theta (P)
   * @param root √v̂ + ε (P), host; ones without AdamW
   * @param share its part of the average over steps; they sum to 1
   * @param rates sum of the learning rates over the steps it stands for
   * @param done told after every batch how many rows are done
   */
  public void addCurvature(
      Tensor theta, double[] root, double share, double rates, IntConsumer done) {
    for (int i = 0; i < root.length; i++) {
      diagonal[i] += rates * root[i];
    }
    draw(theta, share, done);
  }

  /** How often labels are drawn for each row of a state, of so many target rows. */
  public static int draws(int targetRows) {
    return Math.ceilDiv(WANTED, drawnRows(targetRows));
  }

  private static int drawnRows(int targetRows) {
    return Math.min(targetRows, Math.ceilDiv(WANTED, DRAWS));
  }

  private void draw(Tensor theta, double share, IntConsumer done) {
    int count = drawnRows(target.size());
    int draws = draws(target.size());
    long seed = SplitMix64.bits(sketch.size(), 0);
    List<Sample> drawn =
        IntStream.range(0, target.size())
            .boxed()
            .sorted(Comparator.comparingLong(i -> SplitMix64.bits(seed, i)))
            .limit(count)
            .map(target::get)
            .toList();
    int at = 0;
    double weight = share * target.size() / rows / count / draws;
    for (List<Sample> batch : Batches.split(drawn, limits.maxSamples(), limits.maxTokens())) {
      try (DrawnPass pass = new DrawnPass(model, batch, theta)) {
        pass.draw(
            draws,
            SplitMix64.bits(seed, batch.getFirst().id().hashCode()),
            null,
            gradients -> {
              Tensor host = memory.allocate(gradients.dtype(), gradients.shape());
              backend.download(gradients, host);
              sketch.add(new SketchedGgn.Part(host, weight));
            });
      }
      at += batch.size();
      done.accept(at);
    }
    rowGradients += Math.ceilDiv(count * (1L + draws), 2);
  }

  /**
   * Δ, host F64 (P).
   *
   * @param rates τ, of the whole run
   */
  public double[] solve(double rates) {
    try (SketchedGgn curvature = new SketchedGgn(backend, sketch);
        Scope scope = backend.openScope("averaged step")) {
      Tensor in = scope.allocate(backend.vectorType(), 1, request.length);
      Tensor out = scope.allocate(backend.vectorType(), 1, request.length);
      double[] damping = new double[diagonal.length];
      for (int i = 0; i < damping.length; i++) {
        damping[i] = diagonal[i] / rates / rates;
      }
      return new DiagonalSystem(
              damping,
              v -> {
                backend.upload(Tensor.of(Shape.of(1, v.length), v), in);
                backend.vectors().fill(out, 0);
                curvature.addProduct(0, in, 1, out);
                return download(out);
              })
          .solve(request);
    }
  }

  /** Gradients of single rows taken so far. */
  public long rowGradients() {
    return rowGradients;
  }

  private double[] download(Tensor vector) {
    double[] values = new double[Math.toIntExact(vector.elements())];
    backend.download(vector, Tensor.of(vector.shape(), values));
    return values;
  }

  @Override
  public void close() {
    memory.close();
  }
}
