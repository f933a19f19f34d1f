package dev.lethe.curvature;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * (1/n) Σᵢ Cᵢ over the samples of a data set at fixed θ, in data order, without dropout.
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
  private final List<KeptBatch> kept = new ArrayList<>();
  private final int[] starts;
  private RecordedProducts recorded;
  private long keptBytes;
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
    try {
      keepWhatFits();
      if (backend.records() && !kept.isEmpty()) {
        recorded = new RecordedProducts(backend, kind.label() + " product", dimension());
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Keeps batches in order while the next, by its tokens, is expected to fit beside one spare. */
  private void keepWhatFits() {
    if (budget.bytes() == 0) {
      return;
    }
    double bytesPerToken = 0;
    for (List<Sample> members : loss.batches()) {
      double expected = bytesPerToken * tokens(members);
      if (keptBytes + 2 * expected > budget.bytes()) {
        return;
      }
      long before = backend.memoryUse().liveBytes();
      KeptBatch batch = linearize(members);
      long bytes = backend.memoryUse().liveBytes() - before;
      bytesPerToken = Math.max(bytesPerToken, (double) bytes / tokens(members));
      if (keptBytes + bytes > budget.bytes()) {
        batch.close();
        return;
      }
      kept.add(batch);
      keptBytes += bytes;
    }
  }

  /** With what its products read made at once: it is counted, and recordings must not make it. */
  private KeptBatch linearize(List<Sample> members) {
    return KeptBatch.of(loss.model(), members, theta, kind.adjoints());
  }

  private static long tokens(List<Sample> members) {
    return members.stream().mapToLong(Sample::length).sum();
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
    return kept.size();
  }

  /** One line for people: what is kept and what is recomputed in every product. */
  public String report() {
    return Text.format(
        "%s over %,d samples in %,d batches: %,d kept (%.1f of %.1f MiB),"
            + " %,d recomputed in every product",
        name(),
        samples(),
        batches(),
        kept.size(),
        keptBytes / 1048576.0,
        budget.bytes() / 1048576.0,
        batches() - kept.size());
  }

  @Override
  public void apply(Tensor v, Tensor out) {
    sumOver(0, batches(), v, 1 / n, out);
  }

  @Override
  public int batches() {
    return loss.batches().size();
  }

  @Override
  public void applyBatch(int batch, Tensor v, Tensor out) {
    sumOver(batch, batch + 1, v, batches() / n, out);
  }

  /** out = scale times the sum of the products of batches from first to before last. */
  private void sumOver(int first, int last, Tensor v, double scale, Tensor out) {
    if (recorded == null) {
      backend.vectors().fill(out, 0);
      for (int i = first; i < last; i++) {
        at(i, (batch, at) -> addProduct(at, v, scale, out));
      }
    } else {
      RecordedProducts.Vectors fixed = recorded.load(v);
      for (int i = first; i < last; i++) {
        addProduct(i, fixed, scale);
      }
      backend.vectors().copy(fixed.out(), out);
    }
    multipliedSamples += v.dim(0) * (starts[last] - starts[first]);
  }

  private void addProduct(int batch, RecordedProducts.Vectors fixed, double scale) {
    if (batch < kept.size()) {
      Linearization at = kept.get(batch).linearization();
      recorded.add(batch, fixed, scale, (v, factor, out) -> addProduct(at, v, factor, out));
    } else {
      at(batch, (index, at) -> addProduct(at, fixed.v(), scale, fixed.out()));
    }
  }

  private void addProduct(Linearization at, Tensor v, double scale, Tensor out) {
    long width = kind == Curvature.FISHER ? v.dim(0) : vectorsInAPass(at);
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

  /** How many vectors fit into what the kept linearizations leave of the budget; at least one. */
  private long vectorsInAPass(Linearization at) {
    long room = budget.bytes() - keptBytes;
    long free = backend.freeMemory().orElse(Long.MAX_VALUE);
    return Math.max(1, Math.min(room, free / 2) / Math.max(1, at.bytesPerVector()));
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
    overBatches(
        (batch, at) -> {
          at.addGradient(scale, g);
          System.arraycopy(at.losses(), 0, losses, starts[batch], at.samples());
        });
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
        at(i, (batch, at) -> copyRows(at, from - starts[batch], to - from, out, from - first));
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
      at(i, work);
    }
  }

  private void at(int batch, BiConsumer<Integer, Linearization> work) {
    if (batch < kept.size()) {
      work.accept(batch, kept.get(batch).linearization());
      return;
    }
    try (KeptBatch fresh = linearize(loss.batches().get(batch))) {
      work.accept(batch, fresh.linearization());
    }
  }

  @Override
  public void close() {
    if (recorded != null) {
      recorded.close();
    }
    kept.forEach(KeptBatch::close);
    kept.clear();
  }
}
