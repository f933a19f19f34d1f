package dev.lethe.data.jinja;

/** A template that cannot be read, that fails, or that says itself that it has no place for a conversation. */
public final class JinjaException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** A complaint in words. */
  public JinjaException(String message) {
    super(message);
  }
}
