package dev.lethe.backend;

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
  Availability availability();

  /** Opens it; call only where {@link #availability} says it can. */
  Backend open(BackendOptions options);

  /**
   * @param usable whether {@link #open} will work
   * @param detail what it found: device, instruction set; or the reason for refusal
   * @param remedy the one line that would make it work or faster; null where nothing is to be done
   */
  record Availability(boolean usable, String detail, String remedy) {}
}
