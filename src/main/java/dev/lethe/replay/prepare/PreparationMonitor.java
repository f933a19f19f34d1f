package dev.lethe.replay.prepare;

/** Watches a preparation and stops it. */
public interface PreparationMonitor {
  /** Watches nothing. */
  PreparationMonitor NONE = new PreparationMonitor() {};

  /**
   * Called after every batch.
   *
   * @param samples sample passes done
   * @param total of this preparation
   */
  default void onProgress(long samples, long total) {}

  /**
   * Asked after every batch; true ends the preparation, and what was finished is kept. Unless told otherwise, an
   * interrupt of the preparing thread does that.
   */
  default boolean interrupted() {
    return Thread.currentThread().isInterrupted();
  }
}
