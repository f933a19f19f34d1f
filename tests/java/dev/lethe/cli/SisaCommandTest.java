package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.train.RowShards;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code lethe train --sisa} and {@code lethe unlearn --method sisa}: to the bit the sharded training on what is left. */
class SisaCommandTest {
  private static final int SHARDS = 3;
  private static final String WEIGHTS = "adapter_model.safetensors";

  @TempDir Path dir;

  private Workplace place;
  private Path adapter;

  @BeforeEach
  void prepare() {
    place = new Workplace(dir);
    adapter = place.adapter("sharded", "--sisa", SHARDS, "--row-key", place.key);
  }

  private Ended unlearn(Path from, String out, String ids, Object... more) {
    return unlearn(from, place.data, out, ids, more);
  }

  private Ended unlearn(Path from, Path data, String out, String ids, Object... more) {
    Object[] base = {
      "unlearn", "--model", place.model, "--adapter", from, "--data", data, "--device", "reference", "--forget", ids,
      "--out", place.at(out)
    };
    return Cli.run(Stream.concat(Stream.of(base), Stream.of(more)).toArray());
  }

  private static JsonNode certificate(Path folder) {
    return StrictJson.read(folder.resolve("lethe_certificate.json"), 1 << 20);
  }

  private void same(Path one, Path other) throws IOException {
    assertEquals(-1, Files.mismatch(one, other), one + " and " + other);
  }

  @Test
  void aShardIsATrainingOnItsRowsAlone() throws IOException {
    RowShards shards = new RowShards(SHARDS, 0);
    List<String> all = Workplace.rows(Workplace.ROWS, 2);
    for (int i = 0; i < SHARDS; i++) {
      List<String> mine = new ArrayList<>();
      for (int row = 0; row < all.size(); row++) {
        if (shards.of("row-" + row) == i) {
          mine.add(all.get(row));
        }
      }
      assertTrue(!mine.isEmpty() && mine.size() < all.size(), "the ids of the test are dealt out");
      Path alone = place.at("alone-" + i);
      Workplace.ok(
          "train", "--model", place.model, "--data", place.write("shard-" + i + ".jsonl", mine), "--out", alone,
          "--device", "reference", "--rank", 2, "--lr", "0.01", "--epochs", 2, "--batch", 4);
      same(alone.resolve(WEIGHTS), adapter.resolve("lethe_shards/" + i).resolve(WEIGHTS));
    }
  }

  @Test
  void unlearningIsTheTrainingWithoutTheRows() throws IOException {
    Path without = place.adapter("without", "--sisa", SHARDS, "--row-key", place.key, "--without", "row-3,row-5");
    Ended ended = unlearn(adapter, "once", "row-3,row-5", "--method", "sisa");
    assertEquals(ExitCode.DONE, ended.code(), ended::toString);
    for (String file : new String[] {WEIGHTS, "adapter_config.json", "lethe_sisa.json"}) {
      same(without.resolve(file), place.at("once").resolve(file));
    }
    for (int i = 0; i < SHARDS; i++) {
      same(without.resolve("lethe_shards/" + i).resolve(WEIGHTS), place.at("once/lethe_shards/" + i).resolve(WEIGHTS));
    }
    JsonNode cost = certificate(place.at("once")).path("cost");
    assertEquals(2 * (Workplace.ROWS - 2), cost.path("retraining").asInt(), "two epochs of ten rows");
    assertTrue(cost.path("sampleGradients").asInt() < cost.path("retraining").asInt(), cost.toString());
  }

  /** The next request finds the shards in the result, and needs no {@code --method}. */
  @Test
  void requestsFollowEachOther() throws IOException {
    assertEquals(ExitCode.DONE, unlearn(adapter, "once", "row-3").code());
    Ended ended = unlearn(place.at("once"), "twice", "row-5");
    assertEquals(ExitCode.DONE, ended.code(), ended::toString);
    assertEquals("sisa", certificate(place.at("twice")).path("method").path("name").stringValue());
    assertEquals(1, certificate(place.at("twice")).path("chain").size());
    Path without = place.adapter("without", "--sisa", SHARDS, "--row-key", place.key, "--without", "row-3,row-5");
    same(without.resolve(WEIGHTS), place.at("twice").resolve(WEIGHTS));
  }

  @Test
  void theResultIsAnAdapterOfTheMean() throws IOException {
    String config = Files.readString(adapter.resolve("adapter_config.json"));
    assertEquals(2 * SHARDS, StrictJson.read(adapter.resolve("adapter_config.json"), 1 << 20).path("r").asInt(), config);
    Workplace.ok(
        "evaluate", "--model", place.model, "--adapter", adapter, "--data", place.data, "--device", "reference");
  }

  @Test
  void whatDoesNotBelongIsRefused() {
    Path plain = place.adapter("plain");
    Ended unsharded = unlearn(plain, "out", "row-1", "--method", "sisa");
    assertEquals(ExitCode.FAILED, unsharded.code(), unsharded::toString);
    assertTrue(unsharded.err().contains("train --sisa"), unsharded.err());
    Ended damped = unlearn(adapter, "out", "row-1", "--method", "sisa", "--damping", "1");
    assertEquals(ExitCode.USAGE, damped.code(), damped::toString);
    Path fewer = place.write("fewer.jsonl", Workplace.rows(Workplace.ROWS - 1, 2));
    Ended other = unlearn(adapter, fewer, "out", "row-1");
    assertEquals(ExitCode.FAILED, other.code(), other::toString);
    assertTrue(other.err().contains("the rows of shard"), other.err());
    Ended kept =
        Cli.run("train", "--model", place.model, "--data", place.data, "--out", place.at("x"), "--sisa", 2, "--trajectory",
            "on");
    assertEquals(ExitCode.USAGE, kept.code(), kept::toString);
    assertTrue(Files.notExists(place.at("out")) && Files.notExists(place.at("x")), "nothing is written");
  }
}
