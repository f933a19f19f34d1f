package dev.lethe.replay;

import dev.lethe.train.Divisor;
import java.util.Map;

/**
 * A request to a training run: other contents for some of its rows.
 *
 * @param changes by the row's place in the log's rows; may be empty
 * @param divisor what removals do to the weights of a batch's other rows
 */
public record ReplayRequest(Map<Integer, RowChange> changes, Divisor divisor) {
  public ReplayRequest {
    changes = Map.copyOf(changes);
  }
}
