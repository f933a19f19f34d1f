package dev.lethe.shard;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.machine.Versions;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What the shards of one computation have in common, by names for people: everything that decides a byte of the
 * result. Shards that differ in any of it do not belong together.
 */
public record ShardOrigin(Map<String, String> fields) {
  public ShardOrigin {
    fields = new TreeMap<>(fields);
  }

  /** That of a command on a model with an adapter, over rows of data. */
  public static ShardOrigin of(String command, AdaptedModel model, List<Sample> rows, BatchLimits limits) {
    Versions versions = Versions.current();
    return new ShardOrigin(
        new TreeMap<>(
            Map.of(
                "command", command,
                "version", versions.lethe() + ", commit " + versions.commit(),
                "device", model.backend().arithmetic(),
                "model", model.model().sha256(),
                "adapter", model.adapter().sha256(),
                "data", hash(rows),
                "rows", Integer.toString(rows.size()),
                "batch samples", Integer.toString(limits.maxSamples()),
                "batch tokens", Long.toString(limits.maxTokens()))));
  }

  /** The same with another field. */
  public ShardOrigin with(String name, Object value) {
    Map<String, String> more = new TreeMap<>(fields);
    more.put(name, value.toString());
    return new ShardOrigin(more);
  }

  /** A hash of rows as they are computed with: their names, tokens and labels. */
  public static String hash(List<Sample> rows) {
    Sha256 hash = Sha256.start();
    rows.forEach(row -> hash.add(row.id()).add(row.inputIds()).add(row.labels()));
    return hash.hex();
  }

  /** The first field, by name, that another does not share; null where all are the same. */
  String difference(ShardOrigin other) {
    Map<String, String> both = new TreeMap<>(fields);
    both.putAll(other.fields);
    return both.keySet().stream()
        .filter(name -> !of(name).equals(other.of(name)))
        .findFirst()
        .orElse(null);
  }

  /** A field's value, "none" where there is none. */
  String of(String name) {
    return fields.getOrDefault(name, "none");
  }
}
