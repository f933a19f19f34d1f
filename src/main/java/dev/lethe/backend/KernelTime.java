package dev.lethe.backend;

import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The time of a kernel.
 *
 * @param kernel its name: a kernel of the device, or group and mode, as in {@code attention.tangent}
 * @param calls how often it ran
 * @param seconds all of them together
 */
public record KernelTime(String kernel, long calls, double seconds) {

  /** Adds up the times of each kernel, the longest first. */
  public static List<KernelTime> total(Collection<KernelTime> times) {
    Map<String, KernelTime> sums = new LinkedHashMap<>();
    for (KernelTime time : times) {
      sums.merge(time.kernel, time, KernelTime::plus);
    }
    return sums.values().stream()
        .sorted(Comparator.comparingDouble(KernelTime::seconds).reversed())
        .toList();
  }

  private KernelTime plus(KernelTime other) {
    return new KernelTime(kernel, calls + other.calls, seconds + other.seconds);
  }
}
