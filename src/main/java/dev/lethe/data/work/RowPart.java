package dev.lethe.data.work;

import dev.lethe.data.Sample;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * Consecutive blocks of a data set.
 *
 * @param firstBlock the place of the first among all
 * @param blocks their samples
 */
public record RowPart(int firstBlock, List<List<Sample>> blocks) implements Serializable {
  public RowPart {
    blocks = blocks.stream().map(block -> (List<Sample>) new ArrayList<>(block)).toList();
  }
}
