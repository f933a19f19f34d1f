package dev.lethe.cli;

import dev.lethe.ArgumentException;
import dev.lethe.ClosedException;
import dev.lethe.LetheException;
import dev.lethe.MemoryException;
import dev.lethe.Text;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.IoReason;
import dev.lethe.session.InterruptedRun;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;

/** How a command that failed tells people why, and its exit code. */
final class Ending {
  private Ending() {}

  /**
   * Prints one message.
   *
   * @param command what failed; null where that is not known
   */
  static int of(Throwable failure, Object command, PrintStream err) {
    err.println("lethe: " + Text.printable(message(failure)));
    if (isBug(failure) || command instanceof LetheCommand c && c.output.debug) {
      failure.printStackTrace(err);
    }
    return code(failure);
  }

  private static boolean isBug(Throwable failure) {
    return failure instanceof ArgumentException
        || failure instanceof ClosedException
        || !(failure instanceof LetheException
        || failure instanceof InterruptedRun
        || failure instanceof OutOfMemoryError
        || failure instanceof NoClassDefFoundError
        || failure instanceof UncheckedIOException
        || failure instanceof IOException);
  }

  private static int code(Throwable failure) {
    return switch (failure) {
      case InterruptedRun e -> ExitCode.INTERRUPTED;
      case EnvironmentException e -> ExitCode.ENVIRONMENT;
      case MemoryException e -> ExitCode.ENVIRONMENT;
      case OutOfMemoryError e -> ExitCode.ENVIRONMENT;
      case NoClassDefFoundError e -> ExitCode.ENVIRONMENT;
      default -> ExitCode.FAILED;
    };
  }

  private static String message(Throwable failure) {
    return switch (failure) {
      case ArgumentException e -> bug(e);
      case ClosedException e -> bug(e);
      case MemoryException e -> noMemory(e);
      case LetheException e -> e.getMessage().endsWith(".") ? e.getMessage() : e.getMessage() + ".";
      case InterruptedRun e -> e.getMessage();
      case OutOfMemoryError e -> noMemory(e);
      case NoClassDefFoundError e ->
          Text.format(
              "the installation is incomplete: there is no class %s. Keep the folder lib beside lethe.jar, or build again with mvn package.",
              e.getMessage());
      case UncheckedIOException e -> "reading or writing failed: " + IoReason.of(e.getCause());
      case IOException e -> "reading or writing failed: " + IoReason.of(e);
      default -> bug(failure);
    };
  }

  private static String noMemory(Throwable failure) {
    return Text.format(
        "not enough memory: %s. Use a smaller --batch-tokens, or LETHE_JAVA_OPTS=-Xmx4g where it says 'Java heap space'.",
        failure.getMessage());
  }

  private static String bug(Throwable failure) {
    return Text.format("this is a bug in Lethe: %s. Please report it with what follows.", failure);
  }
}
