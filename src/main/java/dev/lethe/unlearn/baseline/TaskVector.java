package dev.lethe.unlearn.baseline;

import dev.lethe.backend.Vectors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/** Task-vector negation: θ′ = θ − s(θ_f − θ), with θ_f trained on from θ on the forgotten rows alone. */
record TaskVector(Settings settings) implements Baseline {
  static final String NAME = "task-vector";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "trains on the forgotten rows alone and goes the same way backward, in the adapter's own numbers (Ilharco et al.,"
        + " arXiv 2212.04089; training of TOFU, arXiv 2401.06121)";
  }

  @Override
  public void apply(BaselineWork work, LoraAdapter adapter) {
    Vectors vectors = work.backend().vectors();
    double scale = settings.number("scale");
    try (Scope scope = work.backend().openScope("original")) {
      Tensor original = work.vector(scope);
      vectors.copy(adapter.theta(), original);
      FineTuning.train(work, settings, work.request().forgotten(), adapter);
      vectors.axpby(1 + scale, original, -scale, adapter.theta());
    }
  }
}
