package dev.lethe.backend;

import java.util.List;

/**
 * A way to get a backend; implementations are listed in {@code
 * META-INF/services/dev.lethe.backend.BackendProvider}.
 */
public interface BackendProvider {
  /** The name by which {@code --device} chooses it. */
  String name();

  /** Higher comes first in automatic choice; negative is never chosen automatically. */
  int priority();

  /** Whether it can run here, and if it cannot or not at full speed, why and what would help. */
  Availability availability(BackendOptions options);

  /**
   * What it is made of, for people who want to know all; call only where {@link #availability} says that it
   * can run.
   */
  default List<Part> parts() {
    return List.of();
  }

  /**
   * How many devices of its kind this machine has, which {@link BackendOptions#device} counts.
   *
   * @throws EnvironmentException where none can be used
   */
  default int devices() {
    return 1;
  }

  /**
   * Whether its backends, opened with {@link BackendOptions#timed}, time their kernels; of others the calls are
   * timed.
   */
  default boolean timesItself() {
    return false;
  }

  /** Opens it; call only where {@link #availability} says it can. */
  Backend open(BackendOptions options);

  /**
   * @param name what it is for
   * @param detail what was found
   * @param remedy the one line that would make it better; null where nothing is to be done
   */
  record Part(String name, String detail, String remedy) {}

  /**
   * @param usable whether {@link #open} will work
   * @param present whether this machine has the hardware, so that its owner expects it to be used
   * @param detail what it found: device, instruction set; or the reason for refusal
   * @param remedy the one line that would make it work or faster; null where nothing is to be done
   */
  record Availability(boolean usable, boolean present, String detail, String remedy) {
    /** A backend that works, and what would make it faster. */
    public static Availability working(String detail, String remedy) {
      return new Availability(true, true, detail, remedy);
    }
  }
}
