package dev.lethe.autograd;

import java.util.function.Supplier;

/**
 * Sees passes over tapes as they run, operation by operation. It is bound to a piece of work of one thread, so that
 * nobody in between hands it on; passes that a device replays by itself are not seen.
 */
@FunctionalInterface
public interface PassWatch {
  /**
   * Called as each operation begins.
   *
   * @param done the number of the operation in this pass, from 1
   * @param all operations of the pass, the last of which ends it
   * @param samples of the batch
   */
  void onOperation(int done, int all, int samples);

  /** Does the work and lets the watch see its passes. */
  static <T> T during(PassWatch watch, Supplier<T> work) {
    return ScopedValue.where(Passes.WATCH, watch).call(work::get);
  }
}
