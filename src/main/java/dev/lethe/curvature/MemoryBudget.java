package dev.lethe.curvature;

import com.sun.management.OperatingSystemMXBean;
import dev.lethe.ArgumentException;
import dev.lethe.backend.Backend;
import dev.lethe.tensor.HostMemory;
import java.util.OptionalLong;

/**
 * How much memory kept linearizations may take.
 *
 * @param bytes 0 keeps nothing
 */
public record MemoryBudget(long bytes) {
  /** Keeps nothing: every product starts anew. */
  public static final MemoryBudget NONE = new MemoryBudget(0);

  public MemoryBudget {
    if (bytes < 0) {
      throw new ArgumentException("a memory budget of " + bytes + " bytes");
    }
  }

  /**
   * Half of what the backend's own memory has left; where it shares the system's, half of this machine's (or
   * this container's) memory less what the backend has in use.
   */
  public static MemoryBudget automatic(Backend backend) {
    OptionalLong onDevice = backend.freeMemory();
    if (onDevice.isPresent()) {
      return new MemoryBudget(onDevice.getAsLong() / 2);
    }
    long half = HostMemory.now().limit() / 2;
    return new MemoryBudget(Math.max(0, half - backend.memoryUse().liveBytes()));
  }
}
