package dev.lethe.unlearn.baseline;

import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * Negative preference optimisation: minimises −γ(2/β)·mean log σ(β(L − L₀)) + α·mean ℓ(retained), L the loss of a
 * forgotten row summed over its tokens and L₀ the original adapter's. With β → 0 it is gradient ascent.
 */
record Npo(Settings settings) implements DescentBaseline {
  static final String NAME = "npo";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "gradient ascent that fades where a row is forgotten, with descent on retained rows (Zhang et al., arXiv"
        + " 2404.05868; training of TOFU, arXiv 2401.06121)";
  }

  @Override
  public Descent.Objective objective(BaselineWork work, Tensor original) {
    Forgotten forgotten = new Forgotten(work);
    double beta = settings.number("beta");
    double[] before = forgotten.summedLosses(work.request().forgotten(), original);
    return (places, retained, theta, g) -> {
      List<Sample> rows = forgotten.at(places);
      double scale = -2 * settings.number("forget-weight") / rows.size();
      work.addGradient(
          rows,
          theta,
          (i, row, loss) -> {
            int tokens = row.supervised();
            double ratio = beta * (tokens * loss - before[places[i]]);
            return scale * Forgotten.sigmoid(-ratio) * tokens;
          },
          g);
      forgotten.addMeanGradient(retained, theta, settings.number("retain-weight"), g);
    };
  }
}
