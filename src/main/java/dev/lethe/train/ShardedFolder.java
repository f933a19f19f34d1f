package dev.lethe.train;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.data.RowDigest;
import dev.lethe.data.RowDigest.Match;
import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.LoraAdapter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a sharded training leaves beside its adapter: {@value #FILE}, with how it was trained and hashes of each shard's
 * rows and adapter, and {@value #SHARDS} with the shards' adapters, {@code 0} to {@code k-1}.
 */
public final class ShardedFolder {
  /** The record's file name. */
  public static final String FILE = "lethe_sisa.json";

  /** The folder of the shards' adapters. */
  public static final String SHARDS = "lethe_shards";

  private static final long MAX_BYTES = 1 << 20;
  private static final int VERSION = 1;

  private ShardedFolder() {}

  /** Whether an adapter's folder was made by a sharded training. */
  public static boolean exists(Path adapterDir) {
    return Files.exists(adapterDir.resolve(FILE));
  }

  /**
   * Writes both into an adapter's folder that is being made.
   *
   * @param mean what the folder has as its adapter
   * @param key under which rows are named
   * @param promptForm how rows became tokens, in words
   */
  public static void write(Path dir, ShardedAdapter sharded, LoraAdapter mean, RowKey key, String promptForm) {
    ObjectNode json = StrictJson.newObject().put("version", VERSION).put("shards", sharded.shards().count());
    json.set("options", sharded.options().toJson());
    json.put("model_sha256", mean.model().sha256()).put("adapter_sha256", mean.sha256());
    if (promptForm != null) {
      json.put("prompt_form", promptForm);
    }
    json.put("row_hashes", "hmac-sha256").put("row_key_id", key.id());
    ArrayNode rows = json.putArray("rows_sha256");
    ArrayNode adapters = json.putArray("shard_adapters_sha256");
    for (int i = 0; i < sharded.shards().count(); i++) {
      rows.add(key.of(TrainingRecord.dataSha256(sharded.rows().get(i))));
      LoraAdapter part = sharded.parts().get(i);
      adapters.add(part.sha256());
      Path folder = folder(dir, i);
      try {
        Files.createDirectories(folder);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      part.writeInto(folder);
    }
    AtomicFiles.writeText(dir.resolve(FILE), StrictJson.write(json));
  }

  /**
   * Opens the shards of an adapter.
   *
   * @param mean the folder's adapter
   * @param rows that it rests on
   * @throws LetheException where adapter, shards or rows are not those of the record
   */
  public static ShardedAdapter open(Path dir, LoraAdapter mean, List<Sample> rows) {
    Path file = dir.resolve(FILE);
    JsonFields f = new JsonFields(StrictJson.readObject(file, MAX_BYTES), file.toString());
    f.integer("version", VERSION, VERSION);
    int count = (int) f.integer("shards", 2, RowShards.MOST);
    f.required("options");
    TrainOptions options = TrainOptions.fromJson(f.objectOrNull("options"));
    RowShards shards = new RowShards(count, options.seed());
    require(file, "model", f.string("model_sha256", f.required("model_sha256")), mean.model().sha256());
    require(file, "adapter", f.string("adapter_sha256", f.required("adapter_sha256")), mean.sha256());
    List<String> hashes = hashes(f, "rows_sha256", count);
    List<String> adapters = hashes(f, "shard_adapters_sha256", count);
    RowDigest digest = RowDigest.of(f.stringOr("row_key_id", null), dir);
    List<List<Sample>> dealt = shards.split(rows);
    for (int i = 0; i < count; i++) {
      if (digest.match(hashes.get(i), TrainingRecord.dataSha256(dealt.get(i))) != Match.SAME) {
        throw new LetheException(
            file.toString(), Text.format("the rows of shard %d are not those that it was trained on", i),
            "all rows of the training as they are now, read as prompt form " + f.stringOr("prompt_form", "of token ids"),
            digest.isLost() ? "nobody can tell without lethe_row_key" : Text.format("%,d other rows", dealt.get(i).size()),
            "Give the data file of the training, read in the same way.");
      }
    }
    List<PeftFolder> folders = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        folders.add(PeftFolder.open(folder(dir, i)));
      }
      ShardedAdapter sharded = ShardedAdapter.open(folders, mean.model(), shards, options, rows);
      boolean right = false;
      try {
        for (int i = 0; i < count; i++) {
          require(folder(dir, i), "adapter", adapters.get(i), sharded.parts().get(i).sha256());
        }
        right = true;
        return sharded;
      } finally {
        if (!right) {
          sharded.close();
        }
      }
    } finally {
      folders.forEach(PeftFolder::close);
    }
  }

  private static Path folder(Path dir, int shard) {
    return dir.resolve(SHARDS).resolve(Integer.toString(shard));
  }

  private static List<String> hashes(JsonFields f, String field, int count) {
    List<String> hashes = f.strings(field);
    if (hashes.size() != count) {
      throw f.outOfRange(field, f.node().get(field), count + " hashes, one a shard");
    }
    return hashes;
  }

  private static void require(Path place, String what, String expected, String got) {
    if (!expected.equals(got)) {
      throw new LetheException(
          place.toString(), "the " + what + " is not that of the sharded training", expected, got,
          "Give the folder and the model as the training left them; methods other than sisa leave no shards.");
    }
  }
}
