package dev.lethe.format.file;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;

/**
 * Input and output that an interrupt does not cut off. Java closes a channel under a thread that is interrupted; here
 * the work is done again instead, and the interrupt waits for the next safe point.
 */
public final class Uninterrupted {
  private Uninterrupted() {}

  /**
   * Work that gives the same however often it was begun.
   *
   * @param <T> what it gives
   */
  @FunctionalInterface
  public interface Work<T> {
    T run() throws IOException;
  }

  /** Does the work, and leaves the thread interrupted where it was. */
  public static <T> T run(Work<T> work) throws IOException {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return work.run();
        } catch (ClosedByInterruptException e) {
          interrupted = true;
          Thread.interrupted();
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
