package dev.lethe.curvature;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.function.Consumer;

/**
 * Fits EK-FAC to the losses of a data set at fixed θ, in two passes over it: one for the bases, one for
 * the second moments in them. Labels are drawn from the model as a function of the seed.
 */
public final class EkfacFit {
  /** Sampled gradients that are wanted at least; few samples get several draws each. */
  private static final int ROWS = 512;

  private static final int MOST_DRAWS = 16;

  private final DatasetLoss loss;
  private final Tensor theta;
  private final double n;
  private final long seed;
  private final int draws;

  /**
   * @param loss over at least one sample
   * @param theta (P)
   * @param n what sums over samples are divided by
   */
  public EkfacFit(DatasetLoss loss, Tensor theta, double n, long seed) {
    if (loss.size() == 0 || !(n > 0)) {
      throw new ArgumentException(
          Text.format("a curvature of %d samples divided by %s", loss.size(), n));
    }
    this.loss = loss;
    this.theta = theta;
    this.n = n;
    this.seed = seed;
    this.draws = draws(loss.size());
  }

  private static int draws(int samples) {
    return Math.clamp(Math.ceilDiv(ROWS, samples), 1, MOST_DRAWS);
  }

  /**
   * What a fit takes for each sample, in gradients of one: two passes, each with a forward and a backward for each draw,
   * which count one half each.
   */
  public static double sampleGradients(int samples) {
    return 1.0 + draws(samples);
  }

  /** The curvature; whoever asks closes it. */
  public Ekfac fit() {
    Backend backend = loss.backend();
    AdaptedModel model = loss.model();
    List<LoraLinear> layers = model.adapted();
    EkfacBasis basis;
    try (FactorStatistics statistics = new FactorStatistics(backend, layers)) {
      overBatches(statistics, null);
      basis = new EkfacBasis(backend, model.layout().size(), statistics.blocks(layers));
    }
    try {
      double[] eigenvalues = new double[Math.toIntExact(basis.parameters())];
      double scale = 1 / (n * draws);
      overBatches(
          null, rows -> Ekfac.addSecondMoments(backend, basis, rows, scale, eigenvalues));
      return new Ekfac(backend, basis, eigenvalues);
    } catch (RuntimeException | Error e) {
      basis.close();
      throw e;
    }
  }

  private void overBatches(
      FactorStatistics statistics, Consumer<Tensor> sink) {
    int index = 0;
    for (List<Sample> members : loss.batches()) {
      try (DrawnPass pass = new DrawnPass(loss.model(), members, theta)) {
        pass.draw(draws, SplitMix64.bits(seed, index++), statistics, sink);
      }
    }
  }
}
