package dev.lethe.unlearn.baseline;

import dev.lethe.tensor.Tensor;
import java.util.List;

/** GradDiff: minimises −γ·mean ℓ(forgotten) + α·mean ℓ(retained). */
record GradientDifference(Settings settings) implements DescentBaseline {
  static final String NAME = "grad-diff";

  /** γ and α, in every objective that has both parts. */
  static final List<Setting> WEIGHTS =
      List.of(
          Setting.weight("forget-weight", 1, "γ, of the forgotten rows' part"),
          Setting.weight("retain-weight", 1, "α, of the retained rows' part"));

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "raises the loss on forgotten rows and lowers it on retained ones (Liu et al., arXiv 2203.12817; weights of"
        + " open-unlearning, training of TOFU, arXiv 2401.06121)";
  }

  @Override
  public Descent.Objective objective(BaselineWork work, Tensor original) {
    Forgotten forgotten = new Forgotten(work);
    return (places, retained, theta, g) -> {
      forgotten.addMeanGradient(places, theta, -settings.number("forget-weight"), g);
      forgotten.addMeanGradient(retained, theta, settings.number("retain-weight"), g);
    };
  }
}
