package dev.lethe.train;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows dealt to shards by a hash of their ids, keyed by a seed: where a row goes does not depend on any other row, so
 * that one that leaves changes its own shard alone.
 *
 * @param count at least 2
 */
public record RowShards(int count, long seed) {
  /** The most shards. */
  public static final int MOST = 1024;

  private static final int DIGITS = 15;
  private static final int HEX = 16;

  public RowShards {
    if (count < 2 || count > MOST) {
      throw new ArgumentException(Text.format("%d shards; there can be 2 to %d", count, MOST));
    }
  }

  /** The shard of a row, from 0. */
  public int of(String id) {
    String hash = Sha256.start().add("lethe shard").add(Long.toString(seed)).add(id).hex();
    return (int) (Long.parseLong(hash.substring(0, DIGITS), HEX) % count);
  }

  /** The rows of each shard in their old order; a shard may be empty. */
  public List<List<Sample>> split(List<Sample> rows) {
    List<List<Sample>> shards = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      shards.add(new ArrayList<>());
    }
    rows.forEach(row -> shards.get(of(row.id())).add(row));
    return shards;
  }
}
