package dev.lethe.data.work;

import java.io.Serializable;
import java.util.List;

/**
 * Copies of a model that work on rows at the same time, each on other ones, or at another θ.
 *
 * @param <M> the model
 */
public interface RowWorkers<M> extends AutoCloseable {
  /** Into how many parts work is best divided. Results never depend on it. */
  int count();

  /** Makes a value known to the workers that ask for it; whoever calls closes it. */
  <T extends Serializable> Shared<T> share(T value);

  /**
   * Runs a task for each part. A part that comes again goes to the worker that had it, as long as that lives.
   *
   * @return the results in the order of the parts
   */
  <P extends Serializable, R extends Serializable> List<R> run(List<Shared<P>> parts, RowTask<M, P, R> task);

  /** Runs a task once for each of several parts that do not come again. */
  default <P extends Serializable, R extends Serializable> List<R> once(List<P> parts, RowTask<M, P, R> task) {
    List<Shared<P>> sent = parts.stream().map(this::share).toList();
    try {
      return run(sent, task);
    } finally {
      sent.forEach(Shared::close);
    }
  }

  /** Ends the workers. */
  @Override
  void close();
}
