package dev.lethe.session;

import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HiddenStates;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The hidden states that a session keeps, of the adapter that it opened first. */
final class KeptStates implements AutoCloseable {
  private boolean wanted = true;
  private Path folder;
  private HiddenStates states;

  /** Where adapters that are opened from now on keep them; null: in memory. */
  synchronized void in(Path where) {
    wanted = true;
    folder = where;
  }

  /** Adapters that are opened from now on keep none. */
  synchronized void none() {
    wanted = false;
  }

  synchronized void of(AdaptedModel adapted) {
    if (wanted && states == null) {
      states = HiddenStates.keep(adapted, folder, budget());
    }
  }

  /** One line for people; null where nothing is kept. */
  synchronized String report() {
    return states == null ? null : states.report();
  }

  private long budget() {
    if (folder == null) {
      return Machine.current().availableMemory() / 8;
    }
    try {
      return Files.createDirectories(folder).toFile().getUsableSpace() / 4;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public synchronized void close() {
    if (states != null) {
      states.close();
    }
  }
}
