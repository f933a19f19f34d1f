package dev.lethe.replay;

import dev.lethe.trajectory.TrainingLog;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Reads the next steps' gradients of a mapped log from the disk while the present step is computed. */
final class LogReader implements AutoCloseable {
  private static final int AHEAD = 2;

  private final TrainingLog log;
  private final ExecutorService reader =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name("lethe-log-reader").factory());
  private Future<?> running;
  private int next;

  LogReader(TrainingLog log) {
    this.log = log;
  }

  /** The work on step k begins. */
  void at(int k) {
    int last = Math.min(log.steps(), k + 1 + AHEAD);
    next = Math.max(next, k + 1);
    if (next < last && (running == null || running.isDone())) {
      int from = next;
      next = last;
      running = reader.submit(() -> load(from, last));
    }
  }

  private void load(int from, int to) {
    for (int k = from; k < to; k++) {
      MemorySegment segment = log.gradient(k).segment();
      if (segment.isMapped()) {
        segment.load();
      }
    }
  }

  @Override
  public void close() {
    reader.close();
  }
}
