package dev.lethe.session;

import dev.lethe.data.work.RowWorkers;
import dev.lethe.nn.AdaptedModel;
import java.nio.file.Path;

/** Where the copies of a session's models are that share the work over rows. */
@FunctionalInterface
public interface Sharing {
  /**
   * Opens the copies of a model with an adapter.
   *
   * @param model the base model's folder or file
   * @param adapter the adapter's folder
   * @param here the session's own copy
   * @return the workers, which the session closes; null where nobody shares
   */
  RowWorkers<AdaptedModel> workers(Path model, Path adapter, AdaptedModel here);
}
