package dev.lethe.train;

/** Watches a training run and may stop it. */
@FunctionalInterface
public interface TrainMonitor {
  /** Watches nothing. */
  TrainMonitor NONE = log -> {};

  /** Called after every step, by the training thread. */
  void onStep(StepLog log);

  /** Called before a checkpoint is written: what belongs to the steps so far must be kept by then. */
  default void beforeCheckpoint() {}

  /**
   * Asked before every step; true writes a checkpoint, where there is a place for it, and stops. Unless
   * told otherwise, an interrupt of the training thread does that.
   */
  default boolean interrupted() {
    return Thread.currentThread().isInterrupted();
  }
}
