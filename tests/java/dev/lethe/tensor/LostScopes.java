package dev.lethe.tensor;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** Hears of scopes that nobody closed, from its making to its end. */
public final class LostScopes extends Handler implements AutoCloseable {
  private static final Logger LOG = Logger.getLogger(Scope.class.getName());

  private final Set<String> heard = new ConcurrentSkipListSet<>();

  public LostScopes() {
    LOG.addHandler(this);
  }

  @Override
  public void publish(LogRecord record) {
    heard.add(Arrays.toString(record.getParameters()));
  }

  /** The names of those that a garbage collection finds, and the places that opened them. */
  public List<String> collected() {
    System.gc();
    try {
      Thread.sleep(20);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return List.copyOf(heard);
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    LOG.removeHandler(this);
  }
}
