package dev.lethe.cli.terminal;

import dev.lethe.Text;
import java.util.Locale;
import java.util.logging.Formatter;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** What the library logs, as messages of this program: one printable line each. */
public final class LogLines extends Formatter {
  private LogLines() {}

  /** Gives all log messages of the process this form. */
  public static void install() {
    for (Handler handler : Logger.getLogger("").getHandlers()) {
      handler.setFormatter(new LogLines());
    }
  }

  @Override
  public String format(LogRecord record) {
    String level = record.getLevel().getName().toLowerCase(Locale.ROOT);
    String cause = record.getThrown() == null ? "" : " (" + record.getThrown() + ")";
    return "lethe: " + level + ": " + Text.printable(formatMessage(record) + cause) + System.lineSeparator();
  }
}
