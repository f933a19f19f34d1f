package dev.lethe.shard;

import dev.lethe.LetheException;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What every shard says of itself, as strings by name.
 *
 * @param shard which part
 * @param content what it holds
 * @param origin what all shards of the computation share
 * @param result the header of the merged result, where that has one
 */
public record ShardHeader(Shard shard, Content content, ShardOrigin origin, Map<String, String> result) {
  /** Where a file of JSON Lines or a folder keeps it. */
  static final String NAME = "lethe_shard";

  private static final String SHARD = "shard";
  private static final String CONTENT = "shard content";
  private static final String ORIGIN = "origin: ";
  private static final String RESULT = "result: ";

  /** What a shard holds. */
  public enum Content {
    /** Nodes of the tree of a sum over rows. */
    SUM,
    /** Something for each row. */
    ROWS,
    /** Influence scores. */
    SCORES,
    /** Parts of prepared operators. */
    OPERATORS;

    /** Its name in files and messages. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** All of it by names of a flat map. */
  Map<String, String> toMap() {
    Map<String, String> map = new TreeMap<>();
    map.put(SHARD, shard.toString());
    map.put(CONTENT, content.toString());
    origin.fields().forEach((name, value) -> map.put(ORIGIN + name, value));
    result.forEach((name, value) -> map.put(RESULT + name, value));
    return map;
  }

  /** Reads {@link #toMap}; whatever else stands there makes it no shard. */
  static ShardHeader of(Map<String, String> map, Path file) {
    Map<String, String> origin = new TreeMap<>();
    Map<String, String> result = new TreeMap<>();
    for (Map.Entry<String, String> each : map.entrySet()) {
      String name = each.getKey();
      if (name.startsWith(ORIGIN)) {
        origin.put(name.substring(ORIGIN.length()), each.getValue());
      } else if (name.startsWith(RESULT)) {
        result.put(name.substring(RESULT.length()), each.getValue());
      } else if (!name.equals(SHARD) && !name.equals(CONTENT)) {
        throw noShard(file, "a field '" + name + "'");
      }
    }
    String content = map.getOrDefault(CONTENT, "none");
    try {
      return new ShardHeader(
          Shard.of(map.getOrDefault(SHARD, "none")),
          Arrays.stream(Content.values())
              .filter(each -> each.toString().equals(content))
              .findFirst()
              .orElseThrow(() -> noShard(file, "content '" + content + "'")),
          new ShardOrigin(origin),
          result);
    } catch (FormatException e) {
      throw e;
    } catch (LetheException e) {
      throw noShard(file, "shard '" + map.getOrDefault(SHARD, "none") + "'");
    }
  }

  /** A number that all shards name; {@code out} is what they are merged into, for messages. */
  int number(String name, Path out) {
    try {
      return Integer.parseUnsignedInt(origin.of(name));
    } catch (NumberFormatException e) {
      throw new FormatException(
          Kind.MISSING_FIELD, out.toString(), "its shards name no number of " + name, "a number",
          origin.of(name), "Make the shards again");
    }
  }

  /** The refusal of a file that is no shard. */
  static FormatException noShard(Path file, String got) {
    return new FormatException(
        Kind.FOREIGN_FILE, file.toString(), "is no shard", "what a command with --shard i/n wrote", got,
        "Name the files that gradients, hvp or influence with --shard wrote, or folders of prepare --shard");
  }
}
