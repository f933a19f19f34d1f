package dev.lethe.shard;

import dev.lethe.LetheException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.file.OutputFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/** Shards of prepared operators: folders as {@code prepare} makes them, each with parts of its own. */
public final class OperatorShards {
  private static final String FILE = ShardHeader.NAME + ".json";
  private static final String OPERATORS = "operators.json";
  private static final long MAX_BYTES = 1 << 20;

  private OperatorShards() {}

  /** Says in a folder which shard it is; refuses one that is another. */
  public static void mark(Path folder, ShardHeader header) {
    Path file = folder.resolve(FILE);
    if (!Files.exists(file)) {
      ObjectNode json = StrictJson.newObject();
      header.toMap().forEach(json::put);
      AtomicFiles.writeText(file, StrictJson.write(json));
      return;
    }
    ShardHeader there = header(folder);
    if (!there.equals(header)) {
      String field = header.origin().difference(there.origin());
      throw new LetheException(
          folder.toString(),
          "another shard was prepared here",
          header.shard() + (field == null ? "" : ", " + field + " " + header.origin().of(field)),
          there.shard() + (field == null ? "" : ", " + field + " " + there.origin().of(field)),
          "Name another folder with --operators.");
    }
  }

  /** Refuses operators of which a shard was asked and that are none, or the other way round. */
  public static void require(Path folder, boolean shard) {
    boolean marked = Files.exists(folder.resolve(FILE));
    if (marked && !shard) {
      throw new LetheException(
          folder.toString(), "these operators are a shard", "a folder of lethe merge-shards, or none",
          "shard " + header(folder).shard(), "Merge all shards first, or go on with --shard.");
    }
    if (!marked && shard && Files.exists(folder.resolve(OPERATORS))) {
      throw new LetheException(
          folder.toString(), "the operators here are no shard", "a new folder, or one of the same shard",
          "no " + FILE, "Name another folder with --operators.");
    }
  }

  static boolean isOne(Path folder) {
    return Files.isDirectory(folder);
  }

  static ShardHeader header(Path folder) {
    Path file = folder.resolve(FILE);
    if (!Files.exists(file)) {
      throw ShardHeader.noShard(folder, "a folder without " + FILE);
    }
    JsonFields json = new JsonFields(StrictJson.readObject(file, MAX_BYTES), file.toString());
    Map<String, String> map = new TreeMap<>();
    json.node().properties().forEach(each -> map.put(each.getKey(), json.string(each.getKey(), each.getValue())));
    return ShardHeader.of(map, folder);
  }

  /** Gathers the parts of all shards in one folder. */
  static void merge(List<Path> folders, Path out) {
    try (OutputFolder target = OutputFolder.create(out)) {
      for (Path folder : folders) {
        try (Stream<Path> files = Files.list(folder)) {
          for (Path file : files.sorted().toList()) {
            take(file, target.path().resolve(file.getFileName()));
          }
        }
      }
      target.commit();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void take(Path file, Path target) throws IOException {
    String name = file.getFileName().toString();
    if (name.equals(FILE)) {
      return;
    }
    if (!Files.exists(target)) {
      Files.copy(file, target);
    } else if (Files.mismatch(file, target) >= 0) {
      throw new LetheException(
          file.toString(), "another shard has this file with other contents", "each part in one shard",
          "a second " + name, "Prepare the shards again.");
    }
  }
}
