package dev.lethe.unlearn.baseline;

import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * SimNPO: minimises −γ(2/β)·mean log σ(β(ℓ − δ)) + α·mean ℓ(retained), ℓ the mean loss over a forgotten row's tokens:
 * NPO without the original adapter and with the length divided out.
 */
record SimNpo(Settings settings) implements DescentBaseline {
  static final String NAME = "simnpo";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "NPO without a reference, by loss per token (Fan et al., arXiv 2410.07163; weights of open-unlearning, training"
        + " of TOFU, arXiv 2401.06121)";
  }

  @Override
  public Descent.Objective objective(BaselineWork work, Tensor original) {
    Forgotten forgotten = new Forgotten(work);
    double beta = settings.number("beta");
    double delta = settings.number("delta");
    return (places, retained, theta, g) -> {
      List<Sample> rows = forgotten.at(places);
      double scale = -2 * settings.number("forget-weight") / rows.size();
      work.addGradient(rows, theta, (i, row, loss) -> scale * Forgotten.sigmoid(-beta * (loss - delta)), g);
      forgotten.addMeanGradient(retained, theta, settings.number("retain-weight"), g);
    };
  }
}
