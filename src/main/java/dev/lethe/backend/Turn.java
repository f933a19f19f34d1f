package dev.lethe.backend;

import dev.lethe.Lifetime;
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
  private final Lifetime lifetime;
  private final Taken taken = lock::unlock;

  /** A turn that was taken; closing it gives it back. */
  @FunctionalInterface
  public interface Taken extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * @param backend whose turns these are, for messages
   */
  public Turn(String backend) {
    this.lifetime = new Lifetime("backend " + backend);
  }

  /**
   * Waits for the turn.
   *
   * @throws dev.lethe.ClosedException where the backend was closed
   */
  public Taken take() {
    lifetime.requireOpen();
    lock.lock();
    if (!lifetime.isOpen()) {
      lock.unlock();
      lifetime.requireOpen();
    }
    return taken;
  }

  /** How long the backend can be used. */
  public Lifetime lifetime() {
    return lifetime;
  }

  /** The last turn: does the work that closes the backend, unless that was done before. */
  public void end(Runnable closing) {
    lock.lock();
    try {
      if (lifetime.isOpen()) {
        closing.run();
        lifetime.end();
      }
    } finally {
      lock.unlock();
    }
  }
}
