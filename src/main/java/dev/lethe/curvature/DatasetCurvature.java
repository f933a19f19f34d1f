package dev.lethe.curvature;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.autograd.Adjoints;
import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.sum.BlockSums;
import dev.lethe.curvature.sum.PartialSum;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.IntConsumer;

/**
 * (1/n) Σᵢ Cᵢ over the samples of a data set at fixed θ, without dropout, added in the tree of its blocks.
 *
 * <p>A linearization of each batch is kept while it fits the memory budget, so that a product costs
 * two forwards; the others are made anew in every product, which then costs three with the Gauss-Newton
 * matrix and four with the Hessian. Many vectors share a
 * pass, as many as fit into what is left of the budget. Which are kept changes time and memory and
 * not a byte of the result; on a device the width of a pass may change its rounding. A backend that
 * records repeats products at kept linearizations as recordings. θ must not change while this lives.
 */
public final class DatasetCurvature implements StochasticCurvature, FactoredCurvature {
  private final Curvature kind;
  private final DatasetLoss loss;
  private final Tensor theta;
  private final double n;
  private final MemoryBudget budget;
  private final Backend backend;
  private final KeptBatches kept;
  private final int[] starts;
  private final RecordedProducts recorded;
  private long multipliedSamples;

  /**
   * Linearizes as many batches as the budget allows.
   *
   * @param loss over at least one sample
   * @param theta (P)
   * @param n what the sum is divided by: the number of samples, or of those that b was divided by
   */
  public DatasetCurvature(
      Curvature kind, DatasetLoss loss, Tensor theta, double n, MemoryBudget budget) {
    if (loss.size() == 0 || !(n > 0)) {
      throw new ArgumentException(
          Text.format("a curvature of %d samples divided by %s", loss.size(), n));
    }
    if (kind == Curvature.EKFAC) {
      throw new ArgumentException("EK-FAC is no sum over samples; see EkfacFit");
    }
    this.kind = kind;
    this.loss = loss;
    this.theta = theta;
    this.n = n;
    this.budget = budget;
    this.backend = loss.backend();
    this.starts = new int[loss.batches().size() + 1];
    for (int i = 0; i < loss.batches().size(); i++) {
      starts[i + 1] = starts[i] + loss.batches().get(i).size();
    }
    this.kept = new KeptBatches(loss, theta, kind.adjoints(), budget);
    this.recorded =
        backend.records() && kept.count() > 0
            ? new RecordedProducts(backend, kind.label() + " product", dimension())
            : null;
  }

  @Override
  public String name() {
    return kind.label();
  }

  /** Which curvature. */
  public Curvature kind() {
    return kind;
  }

  @Override
  public long dimension() {
    return theta.elements();
  }

  /** Samples in the sum. */
  public int samples() {
    return loss.size();
  }

  /** Batches whose linearization is kept. */
  public int keptBatches() {
    return kept.count();
  }

  /** One line for people: what is kept and what is recomputed in every product. */
  public String report() {
    return Text.format(
        "%s over %,d samples in %,d batches: %,d kept (%.1f of %.1f MiB),"
            + " %,d recomputed in every product",
        name(),
        samples(),
        batches(),
        kept.count(),
        kept.bytes() / 1048576.0,
        budget.bytes() / 1048576.0,
        batches() - kept.count());
  }

  @Override
  public void apply(Tensor v, Tensor out) {
    if (batches() == 1) {
      applyBatch(0, v, out);
      return;
    }
    try (BlockSums fresh = recorded == null ? sums(v, 0) : null) {
      BlockSums sums = fresh == null ? recorded.sums(v.shape()) : fresh;
      addBlocks(v, sums, done -> {});
      sums.takeTotal(out);
    }
  }

  /**
   * C v as the nodes of the whole's tree that the blocks of this part of a data set make.
   *
   * @param v (k,P)
   * @param samplesDone told after every block how many samples are done; what it throws ends the work
   * @return sums (k,P)
   */
  public List<PartialSum> parts(Tensor v, IntConsumer samplesDone) {
    try (BlockSums sums = sums(v, loss.firstBlock())) {
      addBlocks(v, sums, samplesDone);
      return sums.takeParts();
    }
  }

  private BlockSums sums(Tensor v, int firstBlock) {
    return new BlockSums(backend, v.shape(), firstBlock);
  }

  private void addBlocks(Tensor v, BlockSums sums, IntConsumer samplesDone) {
    RecordedProducts.Vectors fixed = recorded == null ? null : recorded.load(v);
    for (int i = 0; i < batches(); i++) {
      int batch = i;
      sums.put(term -> product(batch, v, fixed, 1 / n, term));
      samplesDone.accept(starts[i + 1]);
    }
  }

  @Override
  public int batches() {
    return loss.batches().size();
  }

  @Override
  public void applyBatch(int batch, Tensor v, Tensor out) {
    product(batch, v, recorded == null ? null : recorded.load(v), batches() / n, out);
  }

  /** out = scale times the product of a batch; {@code fixed} holds v where products are recorded. */
  private void product(int batch, Tensor v, RecordedProducts.Vectors fixed, double scale, Tensor out) {
    if (fixed == null) {
      backend.vectors().fill(out, 0);
      kept.at(batch, kind.adjoints(v.dim(0)), (index, at) -> addProduct(at, v, scale, out));
    } else {
      backend.vectors().fill(fixed.out(), 0);
      addProduct(batch, fixed, scale);
      backend.vectors().copy(fixed.out(), out);
    }
    multipliedSamples += v.dim(0) * (starts[batch + 1] - starts[batch]);
  }

  private void addProduct(int batch, RecordedProducts.Vectors fixed, double scale) {
    if (batch < kept.count()) {
      Linearization at = kept.get(batch);
      recorded.add(batch, fixed, scale, (v, factor, out) -> addProduct(at, v, factor, out));
    } else {
      Adjoints once = kind.adjoints(fixed.v().dim(0));
      kept.at(batch, once, (index, at) -> addProduct(at, fixed.v(), scale, fixed.out()));
    }
  }

  private void addProduct(Linearization at, Tensor v, double scale, Tensor out) {
    long width = kind == Curvature.FISHER ? v.dim(0) : kept.vectorsInAPass(at);
    for (long first = 0; first < v.dim(0); first += width) {
      long count = Math.min(width, v.dim(0) - first);
      Tensor in = v.slice(first, count);
      Tensor sum = out.slice(first, count);
      switch (kind) {
        case GGN -> at.addGgn(in, scale, sum);
        case HESSIAN -> at.addHvp(in, scale, sum);
        case FISHER -> at.addFisher(in, scale, sum);
        case EKFAC -> throw new IllegalStateException("no sum over samples");
      }
    }
  }

  /** Products, each part of one counted by its share of the samples. */
  @Override
  public long products() {
    return Math.ceilDiv(multipliedSamples, samples());
  }

  /**
   * Adds scale·Σᵢ∇ℓᵢ(θ) to g: at hardly any cost where linearizations are kept with adjoints, so not with the
   * Gauss-Newton matrix.
   *
   * @return ℓᵢ(θ) of every sample
   */
  public double[] addGradient(double scale, Tensor g) {
    double[] losses = new double[samples()];
    try (BlockSums sums = new BlockSums(backend, g.shape(), 0)) {
      overBatches(
          (batch, at) -> {
            sums.add(term -> at.addGradient(scale, term));
            System.arraycopy(at.losses(), 0, losses, starts[batch], at.samples());
          });
      sums.addTotalTo(g);
    }
    return losses;
  }

  @Override
  public int factorRows() {
    return kind == Curvature.FISHER ? samples() : 0;
  }

  @Override
  public double factorScale() {
    return 1 / n;
  }

  @Override
  public void factorRows(int first, Tensor out) {
    long last = first + out.dim(0);
    for (int i = 0; i < batches(); i++) {
      long from = Math.max(first, starts[i]);
      long to = Math.min(last, starts[i + 1]);
      if (from < to) {
        kept.at(i, (batch, at) -> copyRows(at, from - starts[batch], to - from, out, from - first));
      }
    }
  }

  private void copyRows(Linearization at, long row, long count, Tensor out, long target) {
    try (Scope scope = backend.openScope("factor rows")) {
      Tensor all = at.perSampleGradients(scope);
      backend.vectors().copy(all.slice(row, count), out.slice(target, count));
    }
  }

  @Override
  public void factorDots(Tensor v, Tensor dots) {
    double[] values = new double[Math.toIntExact(dots.elements())];
    overBatches(
        (batch, at) -> {
          try (Scope scope = backend.openScope("factor dots")) {
            Tensor part = scope.allocate(backend.vectorType(), v.dim(0), at.samples());
            backend.vectors().fill(part, 0);
            at.addPerSampleDots(v, part);
            spread(HostTensors.doubles(backend, part), at.samples(), values, starts[batch]);
          }
        });
    HostTensors.upload(backend, values, dots);
  }

  /** Copies rows of {@code width} into rows of n, from column {@code first}. */
  private void spread(double[] part, int width, double[] all, int first) {
    for (int j = 0; j < part.length / width; j++) {
      System.arraycopy(part, j * width, all, j * samples() + first, width);
    }
  }

  @Override
  public void addFactorCombination(Tensor weights, Tensor out) {
    double[] all = HostTensors.doubles(backend, weights);
    int k = Math.toIntExact(weights.dim(0));
    overBatches(
        (batch, at) -> {
          double[] values = new double[k * at.samples()];
          for (int j = 0; j < k; j++) {
            int from = j * samples() + starts[batch];
            System.arraycopy(all, from, values, j * at.samples(), at.samples());
          }
          try (Scope scope = backend.openScope("factor weights")) {
            Tensor part = scope.allocate(backend.vectorType(), k, at.samples());
            HostTensors.upload(backend, values, part);
            at.addWeightedGradient(part, 1, out);
          }
        });
  }

  private void overBatches(BiConsumer<Integer, Linearization> work) {
    for (int i = 0; i < batches(); i++) {
      kept.at(i, work);
    }
  }

  @Override
  public void close() {
    if (recorded != null) {
      recorded.close();
    }
    kept.close();
  }
}
