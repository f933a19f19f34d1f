package dev.lethe.unlearn;

import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;

/** A way to make an adapter forget, so that ways can be compared on the same request. */
public interface UnlearningMethod {
  /** Its name in tables. */
  String name();

  /**
   * A new adapter, which the caller closes; the model's own stays as it is.
   *
   * @param model with the adapter that should forget
   * @param split the data that it was trained on and what is asked
   */
  LoraAdapter apply(AdaptedModel model, DataSplit split);
}
