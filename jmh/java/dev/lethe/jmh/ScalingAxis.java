package dev.lethe.jmh;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;

/**
 * One quantity that the study varies, all else fixed.
 *
 * @param name as in the names of files
 * @param label of the chart's axis, with what is fixed
 * @param values ascending, each double the one before
 * @param size the model and batch at a value
 * @param threads the backend's threads at a value
 * @param operations what is measured
 * @param ideal the power of the value that the time should follow: 1 or −1
 */
record ScalingAxis(
    String name,
    String label,
    List<Integer> values,
    IntFunction<ModelSize> size,
    IntFunction<Integer> threads,
    List<Measured> operations,
    int ideal) {
  private static final ThreadMXBean THREAD = ManagementFactory.getThreadMXBean();
  private static final int MOST_THREADS = Runtime.getRuntime().availableProcessors();

  /** All of them. */
  static List<ScalingAxis> all() {
    ModelSize small = ModelSize.SMALL;
    return List.of(
        linear(
            "tokens", "sequences of 64 tokens", List.of(1, 2, 4, 8, 16),
            value -> small.withBatch(value, 64), Measured.ONE_VECTOR),
        linear(
            "length", "tokens of one sequence", List.of(64, 128, 256, 512, 1024),
            value -> small.withBatch(1, value), Measured.ONE_VECTOR),
        linear(
            "layers", "layers", List.of(1, 2, 4, 8), small::withLayers, Measured.ONE_VECTOR),
        linear(
            "rank", "rank of the adapter", List.of(2, 4, 8, 16, 32, 64), small::withRank,
            Measured.ONE_VECTOR),
        linear(
            "vectors", "vectors at once", List.of(1, 2, 4, 8, 16), small::withVectors,
            Measured.MANY_VECTORS),
        new ScalingAxis(
            "threads", "threads", doublesUpTo(MOST_THREADS), value -> small.withBatch(8, 64),
            value -> value, Measured.ONE_VECTOR, -1));
  }

  private static ScalingAxis linear(
      String name,
      String label,
      List<Integer> values,
      IntFunction<ModelSize> size,
      List<Measured> operations) {
    return new ScalingAxis(name, label, values, size, value -> 1, operations, 1);
  }

  /** Nanoseconds: of the thread that does all the work, or of the wall where several do. */
  LongSupplier clock() {
    return ideal == 1 ? THREAD::getCurrentThreadCpuTime : System::nanoTime;
  }

  private static List<Integer> doublesUpTo(int most) {
    return IntStream.iterate(1, value -> value <= most, value -> 2 * value).boxed().toList();
  }
}
