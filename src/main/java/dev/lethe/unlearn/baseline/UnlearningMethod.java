package dev.lethe.unlearn.baseline;

import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.unlearn.request.UnlearnRequest;

/** A way to make an adapter forget, so that ways can be compared on the same request. */
public interface UnlearningMethod {
  /** Its name in tables. */
  String name();

  /**
   * A new adapter, which the caller closes; the model's own stays as it is.
   *
   * @param model with the adapter that should forget
   * @param request what is asked, and the data that the adapter was trained on
   */
  LoraAdapter apply(AdaptedModel model, UnlearnRequest request);
}
