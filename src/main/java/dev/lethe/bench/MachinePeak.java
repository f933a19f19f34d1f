package dev.lethe.bench;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * What a device reaches in one large matrix product and in one long copy, to hold whole operations against.
 *
 * @param flopsPerSecond of a square product by which the device multiplies frozen weights, in the format of its activations
 * @param bytesPerSecond of a copy of a vector, read and written
 */
public record MachinePeak(double flopsPerSecond, double bytesPerSecond) {
  private static final int NARROWEST = 128;
  private static final int WIDE = 512;
  private static final int WIDEST = 4096;
  private static final long SHORTEST_COPY = 1L << 20;
  private static final long LONGEST_COPY = 128L << 20;
  private static final double LONG_ENOUGH = 0.02;
  private static final double TOO_LONG = 0.2;
  private static final double SHORT = 0.001;
  private static final long WARMUP_NANOS = 3_000_000_000L;
  private static final long PATIENCE_NANOS = 500_000_000L;
  private static final double RECORD = 0.95;
  private static final int QUEUED = 4;

  /**
   * Measures a device. Products and copies grow until one takes a fiftieth of a second.
   *
   * @param warm repeat each until it gets no faster, the first for three seconds more, because Java compiles; otherwise
   *     once
   */
  public static MachinePeak of(Backend backend, boolean warm) {
    return new MachinePeak(flopsPerSecond(backend, warm), bytesPerSecond(backend, warm));
  }

  private static double flopsPerSecond(Backend backend, boolean warm) {
    double best = 0;
    double seconds = 0;
    for (int width = NARROWEST; width <= WIDEST && seconds < TOO_LONG; width *= 2) {
      if (width > WIDE && seconds > LONG_ENOUGH) {
        break;
      }
      long patience = width == NARROWEST ? WARMUP_NANOS : PATIENCE_NANOS;
      seconds = secondsOfProduct(backend, width, warm ? patience : 0);
      best = Math.max(best, 2.0 * width * width * width / seconds);
    }
    return best;
  }

  private static double secondsOfProduct(Backend backend, int width, long patience) {
    try (HostAllocator memory = new HostAllocator();
        Scope host = Scope.open("peak", memory);
        Scope scope = backend.openScope("peak")) {
      Tensor square = host.allocate(DType.F32, width, width);
      for (long i = 0; i < square.elements(); i++) {
        square.set(i, (i * 7 % 13 - 6) / 64.0);
      }
      FrozenLinear weight = backend.freezeLinear(square, null, false, scope);
      Tensor x = scope.allocate(backend.activationType(), width, width);
      Tensor y = scope.allocate(backend.activationType(), width, width);
      backend.upload(square, x);
      Tensor first = host.allocate(DType.F32, width);
      return fastest(
          () -> backend.run(new LossKernels.Logits(weight, x, y)),
          () -> backend.download(y.row(0), first),
          patience);
    }
  }

  private static double bytesPerSecond(Backend backend, boolean warm) {
    double bytes = 0;
    double seconds = 0;
    for (long size = SHORTEST_COPY; size <= LONGEST_COPY && seconds < LONG_ENOUGH; size *= 2) {
      bytes = 2.0 * size;
      seconds = secondsOfCopy(backend, size, warm ? PATIENCE_NANOS : 0);
    }
    return bytes / seconds;
  }

  private static double secondsOfCopy(Backend backend, long bytes, long patience) {
    try (HostAllocator memory = new HostAllocator();
        Scope host = Scope.open("peak", memory);
        Scope scope = backend.openScope("peak")) {
      DType type = backend.vectorType();
      Tensor x = scope.allocate(type, bytes / type.bytes());
      Tensor y = scope.allocate(type, bytes / type.bytes());
      backend.vectors().fill(x, 1);
      Tensor first = host.allocate(type, 1);
      return fastest(
          () -> backend.vectors().copy(x, y),
          () -> backend.download(y.slice(0, 1), first),
          patience);
    }
  }

  /** Seconds of the fastest, after which none was faster by a twentieth for so many nanoseconds. */
  private static double fastest(Runnable work, Runnable await, long patience) {
    double best = Double.POSITIVE_INFINITY;
    long since = System.nanoTime();
    long start = since;
    do {
      int queued = best < SHORT ? QUEUED : 1;
      for (int i = 0; i < queued; i++) {
        work.run();
      }
      await.run();
      long end = System.nanoTime();
      double seconds = (end - start) * 1e-9 / queued;
      if (seconds < RECORD * best) {
        since = end;
      }
      best = Math.min(best, seconds);
      start = end;
    } while (start - since < patience);
    return best;
  }
}
