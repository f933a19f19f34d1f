package dev.lethe.cli.terminal;

import dev.lethe.session.Interrupt;
import dev.lethe.session.Sharing;
import java.io.PrintStream;

/**
 * Where a command prints, and how it learns that the user wants it to stop.
 *
 * @param out results and nothing else
 * @param err messages and progress
 * @param terminal whether {@code err} is a terminal, where a line can be updated in place
 * @param sharing where others are that share the work over rows; null: nowhere
 */
public record Console(
    PrintStream out, PrintStream err, boolean terminal, Interrupt interrupt, Sharing sharing) {
  /** Nobody shares the work. */
  public Console(PrintStream out, PrintStream err, boolean terminal, Interrupt interrupt) {
    this(out, err, terminal, interrupt, null);
  }
}
