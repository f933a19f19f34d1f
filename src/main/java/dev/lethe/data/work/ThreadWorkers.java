package dev.lethe.data.work;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Workers in this process, each on a thread of its own, as one a device. Part i goes to worker i, modulo their number. */
public final class ThreadWorkers<M> implements RowWorkers<M> {
  private final List<RowWorker<M>> workers;
  private final List<ExecutorService> threads = new ArrayList<>();

  /**
   * @param models one a worker, borrowed
   */
  public ThreadWorkers(List<M> models) {
    this.workers = models.stream().map(model -> new RowWorker<>(model)).toList();
    for (int i = 0; i < models.size(); i++) {
      threads.add(Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name("lethe-worker-" + i).factory()));
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
  public <R extends Serializable> List<R> run(List<Shared<RowPart>> parts, RowTask<M, R> task) {
    List<Future<R>> running = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      int worker = i % workers.size();
      RowPart part = parts.get(i).get();
      running.add(threads.get(worker).submit(() -> task.run(workers.get(worker), part)));
    }
    RuntimeException failure = null;
    List<R> results = new ArrayList<>();
    for (Future<R> each : running) {
      try {
        results.add(each.get());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        failure = new IllegalStateException("interrupted while workers were at work", e);
      } catch (ExecutionException e) {
        if (e.getCause() instanceof Error error) {
          throw error;
        }
        failure = failure == null ? (RuntimeException) e.getCause() : failure;
      }
    }
    if (failure != null) {
      throw failure;
    }
    return results;
  }

  @Override
  public void close() {
    for (int i = 0; i < threads.size(); i++) {
      RowWorker<M> worker = workers.get(i);
      threads.get(i).submit(worker::close);
      threads.get(i).close();
    }
  }
}
