package dev.lethe.backend;

/**
 * @param threads worker threads of a CPU backend; 0: one per processor
 */
public record BackendOptions(int threads) {
  public static final BackendOptions DEFAULT = new BackendOptions(0);
}
