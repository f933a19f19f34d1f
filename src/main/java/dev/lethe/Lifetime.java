package dev.lethe;

import java.security.ProtectionDomain;

/**
 * From when to when something can be used. Whoever can be closed has one, and asks it before each use:
 * {@link #requireOpen} names the lines of the program, outside of this library, that opened and closed it.
 */
public final class Lifetime {
  private static final StackWalker STACK =
      StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE);
  private static final ProtectionDomain LIBRARY = Lifetime.class.getProtectionDomain();

  private final String what;
  private final String openedAt = programLine();
  private volatile String closedAt;

  /**
   * Begins now.
   *
   * @param what is opened, for messages: {@code adapter of adapters/mine}
   */
  public Lifetime(String what) {
    this.what = what;
  }

  /**
   * Does nothing as long as this lasts.
   *
   * @throws ClosedException after its end
   */
  public void requireOpen() {
    String closed = closedAt;
    if (closed != null) {
      throw new ClosedException(what, openedAt, closed);
    }
  }

  public boolean isOpen() {
    return closedAt == null;
  }

  /** Ends it; false where it had ended before. */
  public synchronized boolean end() {
    if (closedAt != null) {
      return false;
    }
    closedAt = programLine();
    return true;
  }

  /** The innermost line on the stack that is not the library's. */
  private static String programLine() {
    return STACK.walk(
        frames ->
            frames
                .filter(frame -> frame.getDeclaringClass().getProtectionDomain() != LIBRARY)
                .findFirst()
                .map(frame -> frame.getClassName() + "." + frame.getMethodName() + ":" + frame.getLineNumber())
                .orElse("unknown place"));
  }
}
