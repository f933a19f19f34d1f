package dev.lethe.unlearn.baseline;

import dev.lethe.LetheException;
import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * IdkDPO: minimises −γ(2/β)·mean log σ(z) + α·mean ℓ(retained) with z = β((W₀ − W) − (L₀ − L)): L the loss of a
 * forgotten row and W that of the same prompt with a refusal, or with the row's new version where it has one, both
 * summed over their tokens; L₀ and W₀ under the original adapter.
 */
record IdkDpo(Settings settings) implements DescentBaseline {
  static final String NAME = "idk-dpo";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "prefers a refusal to the forgotten response (preference optimisation of TOFU, arXiv 2401.06121, with weights"
        + " of open-unlearning; DPO of Rafailov et al., arXiv 2305.18290)";
  }

  @Override
  public Descent.Objective objective(BaselineWork work, Tensor original) {
    Pairs pairs = new Pairs(work, original);
    Forgotten forgotten = new Forgotten(work);
    return (places, retained, theta, g) -> {
      pairs.addGradient(places, theta, g);
      forgotten.addMeanGradient(retained, theta, settings.number("retain-weight"), g);
    };
  }

  private static List<Sample> preferred(BaselineWork work) {
    List<Sample> preferred = work.task().preferred();
    int rows = work.request().changes().size();
    if (preferred.size() != rows) {
      throw new LetheException(
          NAME, "what should be said instead is not known of each row", rows + " rows",
          Integer.toString(preferred.size()), "Give every requested row a preferred response.");
    }
    return preferred;
  }

  /** Forgotten rows and what is preferred to them. */
  private final class Pairs {
    private final BaselineWork work;
    private final Forgotten forgotten;
    private final List<Sample> preferred;
    private final double[] margins;

    Pairs(BaselineWork work, Tensor original) {
      this.work = work;
      this.forgotten = new Forgotten(work);
      this.preferred = preferred(work);
      double[] lost = forgotten.summedLosses(work.request().forgotten(), original);
      this.margins = forgotten.summedLosses(preferred, original);
      for (int i = 0; i < margins.length; i++) {
        margins[i] -= lost[i];
      }
    }

    void addGradient(int[] places, Tensor theta, Tensor g) {
      List<Sample> losers = forgotten.at(places);
      List<Sample> winners = Forgotten.at(preferred, places);
      double[] lost = forgotten.summedLosses(losers, theta);
      double[] weights = new double[places.length];
      double scale = 2 * settings.number("forget-weight") / places.length;
      work.addGradient(
          winners,
          theta,
          (i, row, loss) -> {
            double won = loss * row.supervised();
            double z = settings.number("beta") * (margins[places[i]] - won + lost[i]);
            weights[i] = scale * Forgotten.sigmoid(-z);
            return weights[i] * row.supervised();
          },
          g);
      work.addGradient(losers, theta, (i, row, loss) -> -weights[i] * row.supervised(), g);
    }
  }
}
