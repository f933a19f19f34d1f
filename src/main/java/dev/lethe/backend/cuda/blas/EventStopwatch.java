package dev.lethe.backend.cuda.blas;

import dev.lethe.backend.cuda.driver.Device;

/** Measures work that is queued on a device. */
@FunctionalInterface
interface EventStopwatch {
  /** Seconds that the device takes for it; runs it several times. */
  double seconds(Runnable work);

  /** By the host's clock, over so many repetitions that waiting for the device counts little. */
  static EventStopwatch of(Device device) {
    return work -> {
      work.run();
      double once = once(device, work, 1);
      int repetitions = (int) Math.clamp(2e-3 / once, 1, 100);
      double best = once;
      for (int round = 0; round < 3; round++) {
        best = Math.min(best, once(device, work, repetitions));
      }
      return best;
    };
  }

  private static double once(Device device, Runnable work, int repetitions) {
    device.synchronize();
    long start = System.nanoTime();
    for (int i = 0; i < repetitions; i++) {
      work.run();
    }
    device.synchronize();
    return Math.max(1, System.nanoTime() - start) * 1e-9 / repetitions;
  }
}
