package dev.lethe.backend;

import dev.lethe.backend.kernel.KernelCost;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The time of a kernel.
 *
 * @param level whether it was called through the backend or launched on a device by such a call
 * @param kernel its name: group and mode, as in {@code attention.tangent}, or a kernel of the device
 * @param calls how often it ran
 * @param seconds all of them together
 * @param cost of all of them together; {@link KernelCost#UNKNOWN} where one of them is not known
 */
public record KernelTime(Level level, String kernel, long calls, double seconds, KernelCost cost) {
  /** Calls and launches are two views of the same time. */
  public enum Level {
    /** A call of a backend's kernel interface. */
    CALL,
    /** What such a call launched. */
    LAUNCH
  }

  /** Adds up the times of each kernel: calls before launches, the longest first. */
  public static List<KernelTime> total(Collection<KernelTime> times) {
    Map<String, KernelTime> sums = new LinkedHashMap<>();
    for (KernelTime time : times) {
      sums.merge(time.level + " " + time.kernel, time, KernelTime::plus);
    }
    return sums.values().stream()
        .sorted(
            Comparator.comparing(KernelTime::level)
                .thenComparing(Comparator.comparingDouble(KernelTime::seconds).reversed()))
        .toList();
  }

  private KernelTime plus(KernelTime other) {
    return new KernelTime(
        level, kernel, calls + other.calls, seconds + other.seconds, cost.plus(other.cost));
  }
}
