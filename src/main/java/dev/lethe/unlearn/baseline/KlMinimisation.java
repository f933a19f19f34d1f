package dev.lethe.unlearn.baseline;

import dev.lethe.tensor.Tensor;

/** KL minimisation: minimises −γ·mean ℓ(forgotten) + α·mean KL(original‖θ) on retained rows. */
record KlMinimisation(Settings settings) implements DescentBaseline {
  static final String NAME = "kl-min";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "raises the loss on forgotten rows and keeps the predictions on retained ones (KL minimisation of TOFU, arXiv"
        + " 2401.06121)";
  }

  @Override
  public Descent.Objective objective(BaselineWork work, Tensor original) {
    Forgotten forgotten = new Forgotten(work);
    return (places, retained, theta, g) -> {
      forgotten.addMeanGradient(places, theta, -settings.number("forget-weight"), g);
      work.addDivergenceGradient(retained, original, theta, settings.number("retain-weight"), g);
    };
  }
}
