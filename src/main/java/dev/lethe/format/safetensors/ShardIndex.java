package dev.lethe.format.safetensors;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The index of a sharded model, which says in which file of the folder each weight lies. */
public final class ShardIndex {
  private ShardIndex() {}

  /** Opens every shard into {@code shards} and gives the home of every weight. */
  public static Map<String, SafeTensors> open(
      Path dir, ObjectNode index, String indexName, Map<String, SafeTensors> shards) {
    String where = dir.resolve(indexName).toString();
    JsonFields map = new JsonFields(index, where).objectOrNull("weight_map");
    if (map == null) {
      new JsonFields(index, where).required("weight_map");
    }
    Map<String, SafeTensors> homes = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : map.node().properties()) {
      String shard = map.string(entry.getKey(), entry.getValue());
      if (!shards.containsKey(shard)) {
        shards.put(shard, SafeTensors.open(plainFile(dir, shard, where)));
      }
      homes.put(entry.getKey(), shards.get(shard));
    }
    shards.forEach((name, shard) -> requireAgreement(name, shard, homes, where));
    return homes;
  }

  private static void requireAgreement(
      String name, SafeTensors shard, Map<String, SafeTensors> homes, String where) {
    Set<String> listed = new HashSet<>();
    homes.forEach(
        (tensor, home) -> {
          if (home == shard) {
            listed.add(tensor);
          }
        });
    Set<String> missing = difference(listed, shard.names());
    Set<String> unlisted = difference(shard.names(), listed);
    if (!missing.isEmpty() || !unlisted.isEmpty()) {
      throw new Place(where).refuse(
          Kind.SHARD_MISMATCH, "the index and shard '" + name + "' disagree",
          "each tensor in exactly the shard that the index names",
          missing.isEmpty()
              ? Text.quote(unlisted.iterator().next()) + " in the shard and not listed for it"
              : Text.quote(missing.iterator().next()) + " listed and not in the shard");
    }
  }

  private static Set<String> difference(Set<String> from, Set<String> subtracted) {
    Set<String> rest = new TreeSet<>(from);
    rest.removeAll(subtracted);
    return rest;
  }

  /** A file of the folder itself: no path, no link that leads outside. */
  private static Path plainFile(Path dir, String shard, String where) {
    boolean plain = shard.matches("[A-Za-z0-9][A-Za-z0-9._-]{0,254}") && !shard.contains("..");
    if (!plain || !shard.endsWith(".safetensors")) {
      throw escape(where, shard, "a plain file name that ends in .safetensors");
    }
    Path file = dir.resolve(shard);
    try {
      if (Files.exists(file) && !file.toRealPath().getParent().equals(dir.toRealPath())) {
        throw escape(where, shard, "a file of the folder itself, not a link out of it");
      }
    } catch (IOException e) {
      throw StrictJson.unreadable(file, e);
    }
    return file;
  }

  private static FormatException escape(String where, String shard, String expected) {
    return new Place(where).refuse(
        Kind.SHARD_PATH, "a shard's name leads outside the model folder", expected,
        Text.quote(shard));
  }
}
