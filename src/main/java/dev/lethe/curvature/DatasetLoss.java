package dev.lethe.curvature;

import dev.lethe.LetheException;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.sum.BlockRange;
import dev.lethe.curvature.sum.BlockSums;
import dev.lethe.curvature.sum.PartialSum;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.IntConsumer;

/**
 * The losses of a data set as functions of the adapter's parameters: ℓᵢ(θ) is the mean
 * cross-entropy over the supervised tokens of sample i, without dropout. Samples are worked on in
 * packed batches, in data order, and added in a fixed tree over these ({@link
 * dev.lethe.curvature.sum.SumTree}). A loss that is not finite is an error that names the sample.
 */
public final class DatasetLoss {
  private final AdaptedModel model;
  private final List<Sample> samples;
  private final BatchLimits limits;
  private final List<List<Sample>> batches;
  private final int firstBlock;
  private final IntConsumer samplesDone;

  /**
   * @param samples may be empty: then sums are zero
   */
  public DatasetLoss(AdaptedModel model, List<Sample> samples, BatchLimits limits) {
    this(
        model,
        limits,
        Batches.split(List.copyOf(samples), limits.maxSamples(), limits.maxTokens()),
        0,
        done -> {});
  }

  private DatasetLoss(
      AdaptedModel model,
      BatchLimits limits,
      List<List<Sample>> batches,
      int firstBlock,
      IntConsumer samplesDone) {
    this.model = model;
    this.limits = limits;
    this.batches = batches;
    this.firstBlock = firstBlock;
    this.samples = batches.stream().flatMap(List::stream).toList();
    this.samplesDone = samplesDone;
  }

  /** The same model and limits over other samples. */
  public DatasetLoss of(List<Sample> others) {
    return new DatasetLoss(model, others, limits);
  }

  /**
   * The losses of some blocks alone. Their sums are nodes of the tree in which the blocks of the whole are added.
   */
  public DatasetLoss part(BlockRange range) {
    return new DatasetLoss(
        model,
        limits,
        batches.subList(range.first(), range.end()),
        firstBlock + range.first(),
        samplesDone);
  }

  /**
   * Blocks in which the samples are worked on and added: packed batches, which the samples and the limits alone
   * decide.
   */
  public int blocks() {
    return batches.size();
  }

  /** The number of the first sample of a block; the number of samples for the one behind the last block. */
  public int firstSample(int block) {
    return batches.stream().limit(block).mapToInt(List::size).sum();
  }

  /**
   * The same, reporting after every batch how many samples are done; what the listener throws ends
   * the work.
   */
  public DatasetLoss watched(IntConsumer listener) {
    return new DatasetLoss(model, limits, batches, firstBlock, listener);
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

  /** The place of the first block in the whole that this is a part of. */
  int firstBlock() {
    return firstBlock;
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
    try (BlockSums sums = new BlockSums(backend(), Shape.of(parameters()), 0)) {
      double[] losses = addGradient(theta, scale, sums);
      sums.addTotalTo(g);
      return losses;
    }
  }

  /**
   * scale·Σᵢ∇ℓᵢ(θ) as the nodes of the whole's tree that these blocks make.
   *
   * @param theta (P)
   * @return sums (P)
   */
  public List<PartialSum> gradientParts(Tensor theta, double scale) {
    try (BlockSums sums = new BlockSums(backend(), Shape.of(parameters()), firstBlock)) {
      addGradient(theta, scale, sums);
      return sums.takeParts();
    }
  }

  private double[] addGradient(Tensor theta, double scale, BlockSums sums) {
    double[][] losses = new double[1][];
    return overBatches(
        (first, tape) -> {
          sums.add(term -> losses[0] = Gradients.addGradient(backend(), tape, theta, scale, term));
          return losses[0];
        });
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
   * ⟨∇ℓᵢ(θ), vⱼ⟩ for every sample i and every row j of each v, without forming a per-sample gradient. Each v is
   * multiplied by itself, so that its numbers do not depend on what the others are.
   *
   * @param vectors (k,P) each
   * @return a row of n for each row of each v, in order
   */
  public double[][] dots(Tensor theta, List<Tensor> vectors) {
    int k = Math.toIntExact(vectors.stream().mapToLong(v -> v.dim(0)).sum());
    double[][] dots = new double[k][size()];
    overBatches(
        (first, tape) -> {
          try (Linearization at = new Linearization(backend(), tape, theta)) {
            int row = 0;
            for (Tensor v : vectors) {
              for (double[] part : dots(at, v)) {
                System.arraycopy(part, 0, dots[row++], first, part.length);
              }
            }
            return at.losses();
          }
        });
    return dots;
  }

  private double[][] dots(Linearization at, Tensor v) {
    try (Scope scope = backend().openScope("per-sample dots")) {
      Tensor part = scope.allocate(backend().vectorType(), v.dim(0), at.samples());
      backend().vectors().fill(part, 0);
      at.addPerSampleDots(v, part);
      double[] values = HostTensors.doubles(backend(), part);
      double[][] rows = new double[Math.toIntExact(v.dim(0))][];
      for (int j = 0; j < rows.length; j++) {
        rows[j] = Arrays.copyOfRange(values, j * at.samples(), (j + 1) * at.samples());
      }
      return rows;
    }
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
