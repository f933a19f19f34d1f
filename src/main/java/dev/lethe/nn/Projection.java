package dev.lethe.nn;

/** The linear layers of a decoder layer, in the order of the flat parameter vector. */
public enum Projection {
  QUERY,
  KEY,
  VALUE,
  OUTPUT,
  GATE,
  UP,
  DOWN;

  /** Whether it reads what a layer reads first, so that nothing active lies below it in layer 0. */
  boolean readsLayerInput() {
    return this == QUERY || this == KEY || this == VALUE;
  }
}
