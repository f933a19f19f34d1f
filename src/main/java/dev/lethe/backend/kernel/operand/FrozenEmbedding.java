package dev.lethe.backend.kernel.operand;

/** A frozen embedding table (V,D), in a backend's own layout. */
public interface FrozenEmbedding {
  long vocabulary();

  long width();
}
