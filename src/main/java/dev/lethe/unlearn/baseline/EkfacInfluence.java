package dev.lethe.unlearn.baseline;

import dev.lethe.curvature.Ekfac;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * One influence step with the EK-FAC curvature of all training rows: Δ = s (C + λI)⁻¹ b. C is what {@code lethe prepare}
 * left for all requests, a mean over the training, where that is there; otherwise it is fitted at the adapter.
 */
record EkfacInfluence(Settings settings) implements Baseline {
  static final String NAME = "ekfac";

  /** Kronfluence's damping. */
  static final Setting DAMPING =
      Setting.positive("damping-share", 0.1, "λ as a part of a matrix's mean eigenvalue");

  static final List<Setting> OWN =
      List.of(
          DAMPING,
          Setting.weight("step", 1, "s, the length of the step; 1: the estimate itself"),
          Setting.choice("fresh", 0, "1: fit the curvature at the adapter even where lethe prepare left one"));

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
        EkfacInverse inverse = inverse(work, adapter.theta())) {
      Tensor b = work.vector(scope);
      Tensor step = work.vector(scope);
      work.phase("gradients of the request", 0);
      RequestGradient.add(work, adapter.theta(), settings.number("step"), b);
      inverse.apply(b, step);
      work.backend().vectors().axpy(1, step, adapter.theta());
    }
  }

  private EkfacInverse inverse(BaselineWork work, Tensor theta) {
    double share = settings.number(DAMPING.name());
    Optional<Ekfac> prepared = settings.count("fresh") == 1 ? Optional.empty() : work.task().prepared().get();
    if (prepared.isEmpty()) {
      return EkfacInverse.fitted(work, work.request().data(), theta, share, work.task().seed());
    }
    work.note(
        "the curvature is what lethe prepare left, a mean over the training; its cost is that of the preparation, once for"
            + " all requests, and not counted here");
    return new EkfacInverse(work, prepared.get(), share);
  }
}
