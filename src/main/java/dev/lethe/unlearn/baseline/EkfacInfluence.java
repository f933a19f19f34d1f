package dev.lethe.unlearn.baseline;

import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** One influence step with the EK-FAC curvature of all training rows: Δ = s (C + λI)⁻¹ b. */
record EkfacInfluence(Settings settings) implements Baseline {
  static final String NAME = "ekfac";

  /** Kronfluence's damping. */
  static final Setting DAMPING =
      Setting.positive("damping-share", 0.1, "λ as a part of a matrix's mean eigenvalue");

  static final List<Setting> OWN =
      List.of(DAMPING, Setting.weight("step", 1, "s, the length of the step; 1: the estimate itself"));

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "one influence step with EK-FAC curvature (Grosse et al., arXiv 2308.03296; damping of kronfluence)";
  }

  @Override
  public void apply(BaselineWork work, LoraAdapter adapter) {
    try (Scope scope = work.backend().openScope("ekfac influence");
        EkfacInverse inverse =
            new EkfacInverse(
                work, work.request().data(), adapter.theta(), settings.number(DAMPING.name()), work.task().seed())) {
      Tensor b = work.vector(scope);
      Tensor step = work.vector(scope);
      work.phase("gradients of the request", 0);
      RequestGradient.add(work, adapter.theta(), settings.number("step"), b);
      inverse.apply(b, step);
      work.backend().vectors().axpy(1, step, adapter.theta());
    }
  }
}
