package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code lethe study} on a tiny model, interrupted, sharded and run again. */
class StudyCommandTest {
  private static final String PLAN =
      """
      {"format": "lethe-study-plan/1", "title": "Tiny", "hours": 0.01, "models": {"tiny": "model"},
       "data": {"rows": {"file": "data.jsonl"}, "others": {"file": "held.jsonl"}},
       "trainings": {"short": {"rank": 2, "lr": 0.01, "epochs": 2, "batch": 4}},
       "requests": {"three": {"forget": "row-0,row-1,row-2"}},
       "methods": {"again": {"method": "exact"},
                   "blown": {"method": "gradient-ascent", "set": {"lr": 1e200, "warmup-epochs": 0}},
                   "npo": {"method": "npo", "grid": {"lr": [1e-9, 0.01]}}},
       "settings": [{"name": "central", "model": "tiny", "data": "rows", "training": "short", "held-out": "others"}],
       "seeds": [1, 2, 3], "tuning": [1], "assess": {"rows": 12, "answered": 1, "max-new-tokens": 4, "draws": 100}}
      """;

  @TempDir Path dir;

  private Object[] study(String out, Object... more) {
    Object[] base = {"study", dir.resolve("plan.json"), "--out", dir.resolve(out), "--device", "reference"};
    return Stream.concat(Stream.of(base), Stream.of(more)).toArray();
  }

  @Test
  void shardsTogetherMakeOneTableAndNothingIsDoneTwice() throws IOException {
    Workplace place = new Workplace(dir);
    place.write("held.jsonl", Workplace.rows(10, 77));
    place.write("plan.json", PLAN);
    ok(study("out", "--shard", "2/3", "--quiet"));
    assertFalse(Files.exists(dir.resolve("out/original/central/seed 1")));
    assertTrue(Files.readString(dir.resolve("out/table.md")).contains("Not run: these wait"));
    ok(study("out", "--shard", "1/3", "--only", "again", "--quiet"));
    assertTrue(Files.exists(dir.resolve("out/assessments/central/seed 1/three/again")));
    assertFalse(Files.exists(dir.resolve("out/unlearned/central/seed 1/three/npo lr=0.01")));
    assertEquals(ExitCode.USAGE, Cli.run(study("out", "--only", "agin")).code());
    FileTime trained = Files.getLastModifiedTime(dir.resolve("out/original/central/seed 1/adapter_model.safetensors"));
    Ended ended = ok(study("out"));
    assertTrue(ended.err().contains("lethe: original/central/seed 3"), ended.err());
    assertFalse(ended.err().contains("original/central/seed 1"), ended.err());
    assertEquals(
        trained,
        Files.getLastModifiedTime(dir.resolve("out/original/central/seed 1/adapter_model.safetensors")),
        "a finished step is kept");
    JsonNode rows = StrictJson.read(dir.resolve("out/table.json"), 1 << 24).path("rows");
    JsonNode again = row(rows, "again", false);
    assertEquals(1, again.path("means").path("KL closed, forgotten").path("mean").asDouble(), 1e-9, "retraining");
    assertEquals(3, again.path("means").path("KL closed, forgotten").path("n").asInt());
    assertTrue(again.path("means").path("cost, retrainings").path("mean").asDouble() > 0.5, again::toString);
    JsonNode blown = row(rows, "blown", false);
    assertEquals(3, blown.path("refused").size(), "refusals stay in the table");
    assertTrue(blown.path("refused").path("1").asString().contains("finite"), blown::toString);
    JsonNode npo = row(rows, "npo", false);
    assertEquals(2, npo.path("seeds").size(), "the seeds that did not choose report");
    assertTrue(row(rows, "npo", true).path("seeds").has("1"));
    String page = Files.readString(dir.resolve("out/table.md"));
    assertTrue(page.contains("| blown | 0, 3 refused |"), page);
    assertTrue(Files.exists(dir.resolve("out/central-three-closed.svg")));
    Ended nothing = ok(study("out"));
    assertFalse(nothing.err().contains("lethe: "), nothing.err());
    assertEquals(page, Files.readString(dir.resolve("out/table.md")));
  }

  @Test
  void aPlanIsRefusedBeforeAnyWork() throws IOException {
    Workplace place = new Workplace(dir);
    place.write("held.jsonl", Workplace.rows(10, 77));
    for (String[] change :
        new String[][] {
          {"\"epochs\": 2", "\"epoch\": 2", "--epoch"},
          {"\"draws\": 100", "\"draws\": 10", "--draws"},
          {"row-2", "row-99", "row-99"},
          {"\"lr\": 0.01, \"epochs\"", "\"lr\": \"fast\", \"epochs\"", "--lr"}
        }) {
      place.write("plan.json", PLAN.replace(change[0], change[1]));
      Ended ended = Cli.run(study("refused"));
      assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
      assertTrue(ended.err().contains(change[2]), ended.err());
      assertFalse(Files.exists(dir.resolve("refused/original")), "nothing was trained");
    }
    place.write("plan.json", PLAN);
    assertEquals(ExitCode.USAGE, Cli.run(study("refused", "--shard", "3/2")).code());
  }

  private static JsonNode row(JsonNode rows, String method, boolean choosing) {
    for (JsonNode row : rows) {
      if (row.path("method").asString().equals(method) && row.path("choosing").asBoolean() == choosing) {
        return row;
      }
    }
    throw new AssertionError("no row of " + method);
  }
}
