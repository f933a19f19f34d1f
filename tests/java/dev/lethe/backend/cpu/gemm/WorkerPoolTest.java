package dev.lethe.backend.cpu.gemm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.tensor.HostAllocator;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

final class WorkerPoolTest {
  private final HostAllocator memory = new HostAllocator();

  private WorkerPool pool(int threads) {
    return new WorkerPool(threads, new Scratch.Source(memory));
  }

  @Test
  void everyTaskRunsOnce() {
    for (int threads = 1; threads <= 5; threads++) {
      try (WorkerPool pool = pool(threads)) {
        for (int tasks = 0; tasks < 300; tasks++) {
          AtomicIntegerArray runs = new AtomicIntegerArray(Math.max(1, tasks));
          pool.run(tasks, (i, scratch) -> runs.incrementAndGet(i));
          for (int i = 0; i < tasks; i++) {
            assertEquals(1, runs.get(i), "task " + i + " of " + tasks);
          }
        }
      }
    }
  }

  @Test
  void rangesCoverAllRowsInOrder() {
    try (WorkerPool pool = pool(3)) {
      for (int n : new int[] {0, 1, 2, 17, 1000}) {
        AtomicIntegerArray seen = new AtomicIntegerArray(Math.max(1, n));
        pool.runRanges(
            n,
            5,
            (from, to, scratch) -> {
              assertTrue(from <= to);
              for (int i = from; i < to; i++) {
                seen.incrementAndGet(i);
              }
            });
        for (int i = 0; i < n; i++) {
          assertEquals(1, seen.get(i));
        }
      }
    }
  }

  @Test
  void failuresReachTheCallerAndThePoolGoesOn() {
    try (WorkerPool pool = pool(2)) {
      for (int round = 0; round < 50; round++) {
        int bad = round;
        IllegalStateException thrown =
            assertThrows(
                IllegalStateException.class,
                () ->
                    pool.run(
                        60,
                        (i, scratch) -> {
                          if (i == bad) {
                            throw new IllegalStateException("task " + i);
                          }
                        }));
        assertEquals("task " + bad, thrown.getMessage());
      }
    }
  }

  @Test
  void sleepingThreadsWakeUp() throws InterruptedException {
    try (WorkerPool pool = pool(4)) {
      for (int round = 0; round < 5; round++) {
        Thread.sleep(20);
        AtomicIntegerArray runs = new AtomicIntegerArray(64);
        pool.run(64, (i, scratch) -> runs.incrementAndGet(i));
        for (int i = 0; i < 64; i++) {
          assertEquals(1, runs.get(i));
        }
      }
    }
  }

  @Test
  void aClosedPoolRefusesWork() {
    WorkerPool pool = pool(2);
    pool.close();
    pool.close();
    assertThrows(IllegalStateException.class, () -> pool.run(2, (i, scratch) -> {}));
  }
}
