package dev.lethe.cli.option;

import dev.lethe.format.file.OutputFolder;
import dev.lethe.session.Session;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Where hidden states below the adapter are kept. */
public final class HiddenStateOptions {
  private static final String MEMORY = "memory";
  private static final String OFF = "off";

  @Option(
      names = "--hidden-states",
      paramLabel = "WHERE",
      defaultValue = MEMORY,
      description =
          "where what enters the lowest adapted layer is kept, if that is not the first: memory (an eighth"
              + " of what is free), off, or a folder, from which the next command takes it. It reveals the"
              + " rows (default: ${DEFAULT-VALUE})")
  private String where;

  /** Refuses a folder that cannot be made or written to. */
  public void check(LetheCommand command) {
    if (!where.equals(MEMORY) && !where.equals(OFF)) {
      command.option("--hidden-states", () -> OutputFolder.requireUsable(Path.of(where)));
    }
  }

  /** The session, told so. */
  public Session in(Session session) {
    return where.equals(OFF)
        ? session.withoutHiddenStates()
        : session.withHiddenStates(where.equals(MEMORY) ? null : Path.of(where));
  }

  /** Says what was kept, if anything. */
  public void report(LetheCommand command, Session session) {
    String line = session.hiddenStates();
    if (line != null) {
      command.say(line);
    }
  }
}
