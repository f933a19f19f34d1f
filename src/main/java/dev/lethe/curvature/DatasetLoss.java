package dev.lethe.curvature;

import dev.lethe.LetheException;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.IntConsumer;

/**
 * The losses of a data set as functions of the adapter's parameters: ℓᵢ(θ) is the mean
 * cross-entropy over the supervised tokens of sample i, without dropout. Samples are worked on in
 * packed batches, in data order. A loss that is not finite is an error that names the sample.
 */
public final class DatasetLoss {
  private final AdaptedModel model;
  private final List<Sample> samples;
  private final BatchLimits limits;
  private final List<List<Sample>> batches;
  private final IntConsumer samplesDone;

  /**
   * @param samples may be empty: then sums are zero
   */
  public DatasetLoss(AdaptedModel model, List<Sample> samples, BatchLimits limits) {
    this(model, samples, limits, done -> {});
  }

  private DatasetLoss(
      AdaptedModel model, List<Sample> samples, BatchLimits limits, IntConsumer samplesDone) {
    this.samplesDone = samplesDone;
    this.model = model;
    this.samples = List.copyOf(samples);
    this.limits = limits;
    this.batches = Batches.split(this.samples, limits.maxSamples(), limits.maxTokens());
  }

  /** The same model and limits over other samples. */
  public DatasetLoss of(List<Sample> others) {
    return new DatasetLoss(model, others, limits);
  }

  /**
   * The same, reporting after every batch how many samples are done; what the listener throws ends
   * the work.
   */
  public DatasetLoss watched(IntConsumer listener) {
    return new DatasetLoss(model, samples, limits, listener);
  }

  /** Number of samples, n. */
  public int size() {
    return samples.size();
  }

  /** The samples, in data order. */
  public List<Sample> samples() {
    return samples;
  }

  /** The model that the losses are of. */
  public AdaptedModel model() {
    return model;
  }

  /** Length of θ, P. */
  public long parameters() {
    return model.layout().size();
  }

  /** The samples batch by batch. */
  List<List<Sample>> batches() {
    return batches;
  }

  public Backend backend() {
    return model.backend();
  }

  /** ℓᵢ(θ) of every sample, in data order: one forward. */
  public double[] losses(Tensor theta) {
    return overBatches((first, tape) -> Gradients.losses(backend(), tape, theta));
  }

  /**
   * Adds scale·Σᵢ∇ℓᵢ(θ) to g.
   *
   * @param theta (P)
   * @param g (P)
   * @return ℓᵢ(θ) of every sample
   */
  public double[] addGradient(Tensor theta, double scale, Tensor g) {
    return overBatches(
        (first, tape) -> Gradients.addGradient(backend(), tape, theta, scale, g));
  }

  /** Hands out ∇ℓᵢ(θ) of every sample, a batch at a time. */
  public void perSample(Tensor theta, PerSampleSink sink) {
    overBatches(
        (first, tape) -> {
          try (Scope scope = backend().openScope("per-sample gradients")) {
            Tensor g =
                scope.allocate(backend().vectorType(), tape.packing().count(), parameters());
            double[] losses = Gradients.perSample(backend(), tape, theta, g);
            sink.accept(first, g);
            return losses;
          }
        });
  }

  /**
   * ⟨∇ℓᵢ(θ), vⱼ⟩ for every sample i and row j of v, without forming a per-sample gradient.
   *
   * @param v (k,P)
   * @return k rows of n
   */
  public double[][] dots(Tensor theta, Tensor v) {
    int k = Math.toIntExact(v.dim(0));
    double[][] dots = new double[k][size()];
    overBatches(
        (first, tape) -> {
          try (Scope scope = backend().openScope("per-sample dots");
              Linearization at = new Linearization(backend(), tape, theta)) {
            Tensor part = scope.allocate(backend().vectorType(), k, at.samples());
            backend().vectors().fill(part, 0);
            at.addPerSampleDots(v, part);
            double[] values = HostTensors.doubles(backend(), part);
            for (int j = 0; j < k; j++) {
              System.arraycopy(values, j * at.samples(), dots[j], first, at.samples());
            }
            return at.losses();
          }
        });
    return dots;
  }

  private double[] overBatches(BiFunction<Integer, Tape, double[]> work) {
    double[] losses = new double[samples.size()];
    int first = 0;
    for (List<Sample> members : batches) {
      int at = first;
      double[] part = BatchMemory.named(members, () -> overBatch(at, members, work));
      requireFinite(members, part);
      System.arraycopy(part, 0, losses, first, part.length);
      first += members.size();
      samplesDone.accept(first);
    }
    return losses;
  }

  private double[] overBatch(
      int first, List<Sample> members, BiFunction<Integer, Tape, double[]> work) {
    try (Batch batch = Batch.of(members, backend())) {
      return work.apply(first, model.tape(batch));
    }
  }

  static void requireFinite(List<Sample> samples, double[] losses) {
    for (int i = 0; i < losses.length; i++) {
      if (!Double.isFinite(losses[i])) {
        throw new LetheException(
            "sample '" + samples.get(i).id() + "'",
            "the loss is not finite",
            "a finite number",
            Double.toString(losses[i]),
            "Check the adapter's parameters; try the reference device to rule out overflow.");
      }
    }
  }
}
