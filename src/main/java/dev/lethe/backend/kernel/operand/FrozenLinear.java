package dev.lethe.backend.kernel.operand;

/** A frozen weight (out,in) with an optional bias (out), in a backend's own layout. */
public interface FrozenLinear {
  long in();

  long out();

  /** Whether the transposed product was prepared as well. */
  boolean transposed();

  /** Whether every number of the weight was seen to be finite as it was taken over; else somebody has to look. */
  default boolean seenFinite() {
    return false;
  }
}
