package dev.lethe.cli.option;

import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/** The parameter vector of a model that may have no adapter. */
public final class Parameters {
  private Parameters() {}

  /** θ (P) of the adapter; of a bare model the empty vector. */
  public static Tensor of(AdaptedModel model, Scope scope) {
    return model.adapter() != null
        ? model.adapter().theta()
        : scope.allocate(model.backend().vectorType(), 0);
  }
}
