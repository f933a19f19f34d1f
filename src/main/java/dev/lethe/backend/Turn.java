package dev.lethe.backend;

import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Whose turn it is on a backend. A thread that has it may take it again, and gives it back as often:
 *
 * <pre>{@code
 * try (Turn.Taken mine = turn.take()) {
 *   …
 * }
 * }</pre>
 */
public final class Turn {
  private final Lock lock = new ReentrantLock();
  private final Taken taken = lock::unlock;

  /** A turn that was taken; closing it gives it back. */
  @FunctionalInterface
  public interface Taken extends AutoCloseable {
    @Override
    void close();
  }

  /** Waits for the turn. */
  public Taken take() {
    lock.lock();
    return taken;
  }
}
