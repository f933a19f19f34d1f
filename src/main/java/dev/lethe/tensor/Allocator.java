package dev.lethe.tensor;

/** Hands out memory for a {@link Scope} and takes it back; contents are undefined. */
public interface Allocator {
  /** At least {@code bytes} bytes, aligned to 64. Throws OutOfMemoryError with need and remedy. */
  Storage allocate(long bytes);

  /** Takes back what {@link #allocate} gave; it may be handed out again at once. */
  void free(Storage storage);
}
