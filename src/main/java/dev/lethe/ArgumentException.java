package dev.lethe;

/** A program passed arguments that no call of the library can take: a mistake of the program, not of a file. */
public final class ArgumentException extends LetheException {
  private static final long serialVersionUID = 1;

  public ArgumentException(String message) {
    super(message, null);
  }
}
