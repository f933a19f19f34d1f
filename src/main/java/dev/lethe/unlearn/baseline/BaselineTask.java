package dev.lethe.unlearn.baseline;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Ekfac;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * What a method is given.
 *
 * @param model with the adapter that should forget
 * @param request of at least one row
 * @param preferred for each row of {@link UnlearnRequest#forgotten} the same prompt with what should be said instead;
 *     empty where the method has no use for that
 * @param seed of everything random
 * @param limits of the batches
 * @param prepared EK-FAC that was made once for all requests, which whoever asks closes; empty where there is none
 */
public record BaselineTask(
    AdaptedModel model,
    UnlearnRequest request,
    List<Sample> preferred,
    long seed,
    BatchLimits limits,
    Supplier<Optional<Ekfac>> prepared) {
  public BaselineTask {
    preferred = List.copyOf(preferred);
  }
}
