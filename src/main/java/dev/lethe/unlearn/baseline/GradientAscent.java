package dev.lethe.unlearn.baseline;

import dev.lethe.tensor.Tensor;

/** Gradient ascent: minimises −mean ℓ(forgotten). */
record GradientAscent(Settings settings) implements DescentBaseline {
  static final String NAME = "gradient-ascent";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "raises the loss on the forgotten rows (Jang et al., arXiv 2210.01504; settings of TOFU, arXiv 2401.06121)";
  }

  @Override
  public Descent.Objective objective(BaselineWork work, Tensor original) {
    Forgotten forgotten = new Forgotten(work);
    return (places, retained, theta, g) -> forgotten.addMeanGradient(places, theta, -1, g);
  }
}
