package dev.lethe.nn.family;

import java.util.List;

/**
 * The linear layers of a decoder layer, in the order of the flat parameter vector. A family has either the parts or the
 * fused layer that stands for them.
 */
public enum Projection {
  QUERY(0),
  KEY(1),
  VALUE(2),
  /** Query, key and value, in this order. */
  QUERY_KEY_VALUE(0),
  OUTPUT(3),
  GATE(4),
  UP(5),
  /** Gate and up, in this order. */
  GATE_UP(4),
  DOWN(6);

  /** Places in a layer. */
  public static final int PLACES = 7;

  private final int place;

  Projection(int place) {
    this.place = place;
  }

  /** Its number in a layer, below {@link #PLACES}; a fused layer has that of its first part. */
  public int place() {
    return place;
  }

  /** The layers that read one input, among those that a decoder layer may have. */
  public static final List<List<Projection>> GROUPS =
      List.of(
          List.of(QUERY, KEY, VALUE), List.of(QUERY_KEY_VALUE), List.of(OUTPUT),
          List.of(GATE, UP), List.of(GATE_UP), List.of(DOWN));

  /** Whether it reads what a layer reads first, so that nothing active lies below it in layer 0. */
  public boolean readsLayerInput() {
    return this == QUERY || this == KEY || this == VALUE || this == QUERY_KEY_VALUE;
  }
}
