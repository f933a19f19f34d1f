package dev.lethe.data.work;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;

/**
 * Workers in this process, each on a thread of its own that opens and closes its model too: as one a device. Part i
 * goes to worker i, modulo their number.
 */
public final class ThreadWorkers<M> implements RowWorkers<M> {
  private final List<ExecutorService> threads = new ArrayList<>();
  private final List<RowWorker<M>> workers = new ArrayList<>();

  /**
   * Opens all workers.
   *
   * @param opened one a thread
   */
  public ThreadWorkers(List<Supplier<RowWorker<M>>> opened) {
    try {
      List<Future<RowWorker<M>>> opening = new ArrayList<>();
      for (Supplier<RowWorker<M>> each : opened) {
        ExecutorService thread =
            Executors.newSingleThreadExecutor(
                Thread.ofPlatform().daemon().name("lethe-worker-" + threads.size()).factory());
        threads.add(thread);
        opening.add(thread.submit(each::get));
      }
      workers.addAll(results(opening));
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private record Held<T>(T get) implements Shared<T> {
    @Override
    public void close() {}
  }

  @Override
  public int count() {
    return workers.size();
  }

  @Override
  public <T extends Serializable> Shared<T> share(T value) {
    return new Held<>(value);
  }

  @Override
  public <P extends Serializable, R extends Serializable> List<R> run(List<Shared<P>> parts, RowTask<M, P, R> task) {
    List<Future<R>> running = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      int worker = i % workers.size();
      P part = parts.get(i).get();
      Callable<R> work = () -> task.run(workers.get(worker), part);
      running.add(threads.get(worker).submit(work));
    }
    return results(running);
  }

  /** All results; the first failure after all have ended. Whoever interrupts this thread is heard afterwards. */
  private static <R> List<R> results(List<Future<R>> running) {
    List<R> results = new ArrayList<>();
    Throwable failure = null;
    boolean interrupted = false;
    int ended = 0;
    while (ended < running.size()) {
      try {
        results.add(running.get(ended).get());
        ended++;
      } catch (InterruptedException e) {
        interrupted = true;
      } catch (ExecutionException e) {
        failure = failure == null ? e.getCause() : failure;
        ended++;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    switch (failure) {
      case null -> {
        return results;
      }
      case Error error -> throw error;
      case RuntimeException e -> throw e;
      default -> throw new IllegalStateException(failure);
    }
  }

  /** Closes each worker on its thread. */
  @Override
  public void close() {
    for (int i = 0; i < threads.size(); i++) {
      if (i < workers.size()) {
        threads.get(i).submit(workers.get(i)::close);
      }
      threads.get(i).close();
    }
    threads.clear();
    workers.clear();
  }
}
