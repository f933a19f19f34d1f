package dev.lethe.unlearn.baseline;

import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * K-FADE's uphill Gauss-Newton steps: a few times θ ← θ + η (C + λI)⁻¹ b, with b the gradient of the request at the
 * present θ and C the EK-FAC curvature of the target rows there. The paper's step sizes were not at hand: η = 1 is an
 * influence step, b being a sum over the request divided by all rows.
 */
record Kfade(Settings settings) implements Baseline {
  static final String NAME = "k-fade";

  static final List<Setting> OWN =
      List.of(
          EkfacInfluence.DAMPING,
          Setting.count("steps", 3, 1, "steps, each with a curvature of its own"),
          Setting.weight("step", 1, "η, the length of each; 1: an influence step"));

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "a few uphill Gauss-Newton steps with the retained rows' EK-FAC curvature (K-FADE; McKinney et al., arXiv"
        + " 2602.10568, as its abstract describes it; number and length of steps are ours)";
  }

  @Override
  public void apply(BaselineWork work, LoraAdapter adapter) {
    for (int k = 0; k < settings.count("steps"); k++) {
      long seed = SplitMix64.bits(work.task().seed(), k);
      try (Scope scope = work.backend().openScope("uphill step");
          EkfacInverse inverse =
              EkfacInverse.fitted(
                  work,
                  work.request().target(),
                  adapter.theta(),
                  settings.number(EkfacInfluence.DAMPING.name()),
                  seed)) {
        Tensor b = work.vector(scope);
        Tensor step = work.vector(scope);
        work.phase("gradients of the request", 0);
        RequestGradient.add(work, adapter.theta(), settings.number("step"), b);
        inverse.apply(b, step);
        work.backend().vectors().axpy(1, step, adapter.theta());
      }
    }
  }
}
