package dev.lethe.train;

import java.nio.file.Path;

/** Watches a training run and may stop it. */
public interface TrainListener {
  /** Watches nothing. */
  TrainListener NONE = new TrainListener() {};

  /** Called after every step. */
  default void onStep(StepLog log) {}

  /** Called after a checkpoint is in place. */
  default void onCheckpoint(Path folder) {}

  /**
   * Asked before every step; true writes a checkpoint, where there is a place for it, and stops.
   */
  default boolean interrupted() {
    return false;
  }
}
