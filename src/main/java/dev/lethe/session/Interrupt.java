package dev.lethe.session;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The wish to stop. Whoever wants work to end sets it, from any thread; the work looks at it at each safe
 * point, writes its state and throws {@link InterruptedRun}.
 */
public class Interrupt {
  private final AtomicBoolean requested = new AtomicBoolean();

  /** Asks the work to stop. Returns whether nobody had asked before. */
  public boolean request() {
    return requested.compareAndSet(false, true);
  }

  /** Whether somebody has asked the work to stop. */
  public boolean requested() {
    return requested.get();
  }
}
