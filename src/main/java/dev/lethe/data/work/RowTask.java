package dev.lethe.data.work;

import java.io.Serializable;

/**
 * What is done with each part of some work. It is run again elsewhere where a worker is lost, so it depends on nothing
 * but its part and itself.
 *
 * @param <M> the model that it is done with
 * @param <P> a part: what distinguishes it from the others
 * @param <R> what comes of it
 */
@FunctionalInterface
public interface RowTask<M, P, R extends Serializable> extends Serializable {
  /** Does it. */
  R run(RowWorker<M> worker, P part);
}
