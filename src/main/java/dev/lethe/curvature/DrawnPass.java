package dev.lethe.curvature;

import dev.lethe.autograd.AdapterVisitor;
import dev.lethe.autograd.Adjoints;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.function.Consumer;

/**
 * One batch linearized, and gradients at it of losses whose labels are drawn from the model: the mean of
 * their outer products is the Gauss-Newton matrix of the sample.
 */
public final class DrawnPass implements AutoCloseable {
  /** Bytes of gradients that are drawn at a time. */
  private static final long DRAWN_BYTES = 64 << 20;

  /** Draws at a time where even few gradients are larger. */
  private static final long FEWEST_DRAWS = 2;

  private final Backend backend;
  private final Batch batch;
  private final Packing packing;
  private final Linearization linearization;

  /** Linearizes the samples at θ (P). */
  public DrawnPass(AdaptedModel model, List<Sample> samples, Tensor theta) {
    this.backend = model.backend();
    this.batch = Batch.of(samples, backend);
    Linearization at = null;
    try {
      Tape tape = model.tape(batch);
      this.packing = tape.packing();
      at = BatchMemory.named(samples, () -> new Linearization(backend, tape, theta, Adjoints.LOSS));
      DatasetLoss.requireFinite(samples, at.losses());
      this.linearization = at;
    } catch (RuntimeException | Error e) {
      if (at != null) {
        at.close();
      }
      batch.close();
      throw e;
    }
  }

  /** The linearization, for other products at the same samples. */
  public Linearization linearization() {
    return linearization;
  }

  /** Samples in the batch, n. */
  public int samples() {
    return packing.count();
  }

  /** As {@link #draw(int, long, FactorStatistics, Consumer, AdapterVisitor)} of the drawn labels alone. */
  public void draw(int draws, long seed, FactorStatistics statistics, Consumer<Tensor> sink) {
    draw(draws, seed, statistics, sink, null);
  }

  /**
   * Gradients with drawn labels, and what they add to the statistics. They are drawn so many at a time that all their
   * rows together take little memory.
   *
   * @param statistics added to; null for none
   * @param sink takes rows (d·n,P) in the vector type, row j·n+i of sample i under draw j of those d; valid during the
   *     call; null: only statistics are wanted
   * @param own takes the adjoints of the true labels' losses, as {@link Linearization#forEachAdapter} gives them, from the
   *     same pass backward; null where they are not wanted
   */
  public void draw(
      int draws, long seed, FactorStatistics statistics, Consumer<Tensor> sink, AdapterVisitor own) {
    FactorStatistics.Pass pass = statistics == null ? null : statistics.pass();
    long bytes = samples() * linearization.parameters() * backend.vectorType().bytes();
    int together = (int) Math.max(FEWEST_DRAWS, DRAWN_BYTES / bytes);
    for (int first = 0; first < draws; first += together) {
      long seedOfThese = first == 0 ? seed : SplitMix64.bits(seed, first);
      drawTogether(Math.min(together, draws - first), seedOfThese, pass, sink, first == 0 ? own : null);
    }
  }

  private void drawTogether(
      int draws, long seed, FactorStatistics.Pass pass, Consumer<Tensor> sink, AdapterVisitor own) {
    try (Scope scope = backend.openScope("drawn gradients")) {
      long n = samples();
      long parameters = linearization.parameters();
      Tensor rows =
          sink == null ? null : scope.allocate(backend.vectorType(), draws * n, parameters);
      linearization.drawn(
          draws,
          own != null,
          seed,
          (slot, xa, u, h, gy) -> {
            for (int j = 0; rows != null && j < draws; j++) {
              Tensor part = rows.slice(j * n, n);
              backend.run(
                  new LoraGradientKernels.PerSampleGradient(
                      slot, packing, new LoraGradientKernels.Kept(xa, u, h.row(j), gy.row(j)), 1, part));
            }
            if (pass != null) {
              pass.add(slot, xa, u, h.slice(0, draws), gy.slice(0, draws));
            }
            if (own != null) {
              own.visit(slot, xa, u, h.slice(draws, 1), gy.slice(draws, 1));
            }
          });
      if (sink != null) {
        sink.accept(rows);
      }
    }
  }

  @Override
  public void close() {
    linearization.close();
    batch.close();
  }
}
