package dev.lethe.backend.kernel.operand;

/** A frozen weight (out,in) with an optional bias (out), in a backend's own layout. */
public interface FrozenLinear {
  long in();

  long out();

  /** Whether the transposed product was prepared as well. */
  boolean transposed();
}
