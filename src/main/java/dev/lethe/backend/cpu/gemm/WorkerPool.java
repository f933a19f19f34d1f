package dev.lethe.backend.cpu.gemm;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads that wait for small pieces of work. The caller takes part, so a pool of one has no
 * thread at all. Which thread takes a task is chance, what a task computes is not: tasks write to
 * different places and their cut does not depend on the number of threads where it would show. A
 * waiting thread spins for some tens of microseconds, the usual time between two kernels, and then
 * sleeps.
 */
public final class WorkerPool implements AutoCloseable {
  private static final int SPINS = 2_000;
  private static final Job NOTHING = new Job(null, 0);

  /** A piece of a kernel. */
  @FunctionalInterface
  public interface Task {
    /**
     * @param index 0 to tasks−1
     * @param scratch memory of the thread that runs it
     */
    void run(int index, Scratch scratch);
  }

  /** A run of consecutive rows of a kernel. */
  @FunctionalInterface
  public interface RangeTask {
    void run(int from, int to, Scratch scratch);
  }

  private final Worker[] workers;
  private final Scratch callers;
  private volatile Job current = NOTHING;
  private volatile boolean closed;

  public WorkerPool(int threads, Scratch.Source memory) {
    callers = new Scratch(memory);
    workers = new Worker[threads - 1];
    for (int i = 0; i < workers.length; i++) {
      workers[i] = new Worker(new Scratch(memory));
      workers[i].thread.setName("lethe-cpu-" + (i + 1));
      workers[i].thread.setDaemon(true);
      workers[i].thread.start();
    }
  }

  public int threads() {
    return workers.length + 1;
  }

  /** Memory for the calling thread, outside of tasks; tasks may read what lies there. */
  public Scratch callersScratch() {
    return callers;
  }

  /** Runs all tasks and returns when they are done; throws what the first failing one threw. */
  public void run(int tasks, Task task) {
    if (closed) {
      throw new IllegalStateException("the CPU backend was closed; open another to compute");
    }
    if (tasks <= 1 || workers.length == 0) {
      for (int i = 0; i < tasks; i++) {
        task.run(i, callers);
      }
      return;
    }
    Job job = new Job(task, tasks);
    current = job;
    for (Worker worker : workers) {
      if (worker.asleep) {
        LockSupport.unpark(worker.thread);
      }
    }
    job.work(callers);
    job.await();
    Throwable failure = job.failure.get();
    switch (failure) {
      case null -> {}
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(failure);
    }
  }

  /** Cuts n rows into runs of at least {@code grain} and runs those. */
  public void runRanges(int n, int grain, RangeTask task) {
    int most = threads() == 1 ? 1 : 4 * threads();
    int pieces = Math.clamp(n / Math.max(1, grain), 1, most);
    run(
        pieces,
        (i, scratch) ->
            task.run(
                (int) ((long) n * i / pieces), (int) ((long) n * (i + 1) / pieces), scratch));
  }

  /** Ends the threads. Harmless when repeated. */
  @Override
  public void close() {
    closed = true;
    for (Worker worker : workers) {
      LockSupport.unpark(worker.thread);
    }
  }

  /** One call of {@link #run}. Threads that come late find no task left and touch nothing. */
  private static final class Job {
    private final Task task;
    private final int tasks;
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger done = new AtomicInteger();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private volatile Thread waiting;

    Job(Task task, int tasks) {
      this.task = task;
      this.tasks = tasks;
    }

    void work(Scratch scratch) {
      for (int i = next.getAndIncrement(); i < tasks; i = next.getAndIncrement()) {
        try {
          task.run(i, scratch);
        } catch (Throwable e) {
          failure.compareAndSet(null, e);
        }
        if (done.incrementAndGet() == tasks) {
          LockSupport.unpark(waiting);
        }
      }
    }

    void await() {
      for (int i = 0; i < SPINS && done.get() < tasks; i++) {
        Thread.onSpinWait();
      }
      waiting = Thread.currentThread();
      while (done.get() < tasks) {
        LockSupport.park(this);
      }
    }
  }

  private final class Worker implements Runnable {
    private final Thread thread = new Thread(this);
    private final Scratch scratch;
    private volatile boolean asleep;

    Worker(Scratch scratch) {
      this.scratch = scratch;
    }

    @Override
    public void run() {
      Job last = NOTHING;
      while (!closed) {
        Job job = nextAfter(last);
        job.work(scratch);
        last = job;
      }
    }

    private Job nextAfter(Job last) {
      for (int i = 0; i < SPINS; i++) {
        Job job = current;
        if (job != last) {
          return job;
        }
        Thread.onSpinWait();
      }
      asleep = true;
      while (current == last && !closed) {
        LockSupport.park(WorkerPool.this);
      }
      asleep = false;
      return current;
    }
  }
}
