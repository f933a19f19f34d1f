package dev.lethe.data.work;

import java.io.Serializable;
import java.util.List;

/**
 * Copies of a model that work on parts of a data set at the same time.
 *
 * @param <M> the model
 */
public interface RowWorkers<M> extends AutoCloseable {
  /** Into how many parts work is best divided. Results never depend on it. */
  int count();

  /** Makes a value known to all workers; whoever asks closes it. */
  <T extends Serializable> Shared<T> share(T value);

  /**
   * Runs a task for each part.
   *
   * @return the results in the order of the parts
   */
  <R extends Serializable> List<R> run(List<Shared<RowPart>> parts, RowTask<M, R> task);

  /** Ends the workers. */
  @Override
  void close();
}
