package dev.lethe;

/** Something was used after it was closed; the message says what, where it had been opened and where closed. */
public final class ClosedException extends LetheException {
  private static final long serialVersionUID = 1;

  ClosedException(String what, String openedAt, String closedAt) {
    super(
        Text.format("%s, opened at %s", what, openedAt),
        "was used after it was closed at " + closedAt,
        null,
        null,
        "Use it before it is closed.");
  }

  /** Of memory that ended with whatever held it. */
  public ClosedException(String what, String problem) {
    super(what, problem, null, null, "Use it before its owner is closed.");
  }
}
