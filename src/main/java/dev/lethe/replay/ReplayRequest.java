package dev.lethe.replay;

import java.util.Map;

/**
 * A request to a training run: other contents for some of its rows.
 *
 * @param changes by the row's place in the log's rows; may be empty
 * @param shrinks whether the mean over a batch is taken over the rows that are left, as training on the
 *     remaining rows alone would have taken it; otherwise a removed row keeps its slot at weight 0
 */
public record ReplayRequest(Map<Integer, RowChange> changes, boolean shrinks) {
  public ReplayRequest {
    changes = Map.copyOf(changes);
  }
}
