package dev.lethe.shard;

import dev.lethe.curvature.sum.BlockRange;

/**
 * What a shard of influence scores does: solves are never divided, so that shards beyond the units of queries share out
 * the rows that a unit's queries are scored on, each after the unit's whole solves.
 *
 * @param units of queries
 * @param blocks of rows
 */
public record ScoreShare(BlockRange units, BlockRange blocks) {
  /** A shard's share of so many units and blocks, each at least 1. */
  public static ScoreShare of(Shard shard, int units, int blocks) {
    if (shard.count() <= units) {
      return new ScoreShare(shard.of(units), BlockRange.all(blocks));
    }
    int unit = shard.index() % units;
    int shares = Math.ceilDiv(shard.count() - unit, units);
    return new ScoreShare(
        new BlockRange(unit, unit + 1), BlockRange.part(shard.index() / units, shares, blocks));
  }
}
