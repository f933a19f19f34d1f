package dev.lethe;

/** Memory did not suffice; the message says how much was wanted, what there is, and the way out. */
public final class MemoryException extends LetheException {
  private static final long serialVersionUID = 1;

  public MemoryException(String message, Throwable cause) {
    super(message, cause);
  }
}
