package dev.lethe;

import java.util.List;

/**
 * Something that the user gave cannot be used. The message says where, what, what was expected, what was
 * there and what to do; whoever catches it at the top prints the message and nothing else.
 */
public class LetheException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Characters; paths and lists of choices are the longest honest parts. */
  private static final int LONGEST_PART = 1000;

  /**
   * @param where file and place in it, option, tensor name or sample id
   * @param problem what is wrong, one clause
   * @param expected what would be right; null where the problem says it all
   * @param got what was there; null where the problem says it all
   * @param remedy what the user can do, one sentence
   */
  public LetheException(
      String where, String problem, String expected, String got, String remedy) {
    this(where, problem, expected, got, remedy, null);
  }

  /** As the other constructor, with the failure underneath. */
  public LetheException(
      String where, String problem, String expected, String got, String remedy, Throwable cause) {
    super(message(where, problem, expected, got, remedy), cause);
  }

  /**
   * Several complaints of one kind.
   *
   * @param each their messages, a line for each
   */
  public LetheException(
      String where, String problem, List<String> each, String remedy, Throwable cause) {
    super(listed(where, problem, each, remedy), cause);
  }

  /** A whole message, with the failure underneath; null where there is none. */
  LetheException(String message, Throwable cause) {
    super(shown(message), cause);
  }

  private static String listed(String where, String problem, List<String> each, String remedy) {
    StringBuilder text = new StringBuilder(shown(where) + ": " + shown(problem) + ":");
    each.forEach(line -> text.append("\n  ").append(shown(line)));
    return text.append("\n").append(shown(remedy)).toString();
  }

  private static String message(
      String where, String problem, String expected, String got, String remedy) {
    StringBuilder text = new StringBuilder(shown(where)).append(": ").append(shown(problem));
    if (expected != null) {
      text.append("; expected ").append(shown(expected));
    }
    if (got != null) {
      text.append(expected == null ? "; got " : ", got ").append(shown(got));
    }
    return text.append(". ").append(shown(remedy)).toString();
  }

  /** Whatever a part quotes of a file, nothing in it reaches a terminal as a command, and it ends. */
  private static String shown(String part) {
    return Text.shorten(part, LONGEST_PART);
  }
}
