package dev.lethe.session;

/** Work that stopped at a safe point because somebody asked; the message says how to go on. */
public final class InterruptedRun extends RuntimeException {
  private static final long serialVersionUID = 1;

  public InterruptedRun(String message) {
    super(message, null, false, false);
  }
}
