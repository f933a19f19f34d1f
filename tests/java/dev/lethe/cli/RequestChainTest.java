package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** One request after another, and what people get wrong in them. */
class RequestChainTest {
  private static final long LIMIT = 1 << 24;

  @TempDir Path dir;

  private Workplace place;

  @BeforeEach
  void prepare() {
    place = new Workplace(dir);
  }

  @ParameterizedTest
  @ValueSource(strings = {"influence", "recorded"})
  void theSecondRequestKnowsTheFirst(String method) {
    Path trained = place.adapter("a", "--trajectory", method.equals("recorded") ? "on" : "off");
    JsonNode before = record("a");
    certificate(trained, place.data, "b", "--method", method, "--forget", "row-3");
    JsonNode after = record("b");
    assertEquals(Workplace.ROWS, before.path("n").asInt());
    assertEquals(Workplace.ROWS - 1, after.path("n").asInt());
    assertEquals(1, after.path("edits").path("removed").asInt());
    assertEquals(Workplace.ROWS, after.path("edits").path("slots").asInt());
    for (String same : List.of("learning_rate_sum", "mean_root_second_moment", "steps", "options", "model_sha256")) {
      assertEquals(before.path(same), after.path(same), same);
    }
    for (String other : List.of("data_sha256", "contents_sha256", "adapter_sha256")) {
      assertNotEquals(before.path(other), after.path(other), other);
    }

    JsonNode second = certificate(place.at("b"), place.data, "c", "--method", method, "--forget", "row-5,row-6");
    assertEquals(Workplace.ROWS - 1, second.path("request").path("rows").asInt());
    assertEquals("row-3", second.path("request").path("earlier").path(0).path("id").asString());
    assertEquals(
        Sha256.ofBytes(place.at("b/lethe_certificate.json")), second.path("chain").path(0).asString());
    assertFalse(second.path("warnings").toString().contains("training record"), second::toString);
    assertTrue(second.path("notes").toString().contains("1 rows of the data were removed"), second::toString);
    assertEquals(3, record("c").path("edits").path("removed").asInt());
    assertEquals(Workplace.ROWS - 3, record("c").path("n").asInt());

    Path without = place.write("without.jsonl", rows("row-3"));
    JsonNode same = certificate(place.at("b"), without, "d", "--method", method, "--forget", "row-5,row-6");
    assertEquals(second.path("hashes").path("adapterAfter"), same.path("hashes").path("adapterAfter"));
    for (Path data : List.of(place.data, without)) {
      Ended again = unlearn(place.at("c"), data, "x", "--method", method, "--forget", "row-3");
      assertEquals(ExitCode.FAILED, again.code(), again::toString);
      assertTrue(again.err().contains("removed from this adapter already") && again.err().contains("'row-3'"), again.err());
    }
  }

  @Test
  void theDampingIsStillKnown() {
    Path trained = place.adapter("a", "--trajectory", "off");
    JsonNode first = certificate(trained, place.data, "b", "--forget", "row-3");
    JsonNode second = certificate(place.at("b"), place.data, "c", "--forget", "row-5");
    assertTrue(first.path("system").path("dampingFrom").asString().startsWith("auto"), first::toString);
    assertEquals(first.path("system").path("dampingFrom"), second.path("system").path("dampingFrom"));
  }

  @Test
  void anOldVersionOfAReplacedRowIsRefused() {
    Path trained = place.adapter("a", "--trajectory", "off");
    String fresh = "{\"id\":\"row-3\",\"input_ids\":[1,4,5,6,2],\"labels\":[-100,-100,-100,6,2]}";
    Path replacement = place.write("new.jsonl", List.of(fresh));
    certificate(trained, place.data, "b", "--replace", replacement);
    Ended stale = unlearn(place.at("b"), place.data, "x", "--forget", "row-5");
    assertTrue(stale.err().contains("old version") && stale.err().contains("'row-3'"), stale::toString);
    List<String> current = new ArrayList<>(rows());
    current.set(3, fresh);
    certificate(place.at("b"), place.write("current.jsonl", current), "c", "--forget", "row-5");
  }

  @Test
  void positionsMeanNothingOnceRowsAreDropped() {
    List<String> nameless = rows().stream().map(row -> row.replaceFirst("\"id\":\"[^\"]*\",", "")).toList();
    Path data = place.write("nameless.jsonl", nameless);
    Workplace.ok(
        "train", "--model", place.model, "--data", data, "--out", place.at("a"), "--device", "reference",
        "--rank", 2, "--lr", "0.01", "--max-steps", 2, "--trajectory", "off");
    Path fewer = place.write("fewer.jsonl", nameless.subList(1, nameless.size()));
    List<String> other = new ArrayList<>(nameless.reversed());
    for (Path moved : List.of(fewer, place.write("moved.jsonl", other))) {
      Ended refused = unlearn(place.at("a"), moved, "x", "--forget", "3");
      assertEquals(ExitCode.FAILED, refused.code());
      assertTrue(refused.err().contains("by their place"), refused::toString);
    }
    certificate(place.at("a"), data, "b", "--forget", "2-4");
    JsonNode second = certificate(place.at("b"), data, "c", "--forget", "5");
    assertEquals(Workplace.ROWS - 3, second.path("request").path("rows").asInt());
  }

  @Test
  void copiesAreNamedAndCanBeTakenAlong() {
    List<String> doubled = new ArrayList<>(rows());
    doubled.add(rows().get(3).replace("row-3", "copy"));
    Path data = place.write("doubled.jsonl", doubled);
    Path trained = place.adapter("a", "--trajectory", "off");
    Ended named = unlearn(trained, data, "b", "--forget", "row-3", "--damping", "1");
    assertTrue(named.err().contains("'copy' as 'row-3'") && named.err().contains("--with-copies"), named::toString);
    assertTrue(named.out().contains("still trained on"), named::toString);
    JsonNode both = certificate(trained, data, "c", "--forget", "row-3", "--damping", "1", "--with-copies");
    assertEquals(2, both.path("request").path("removed").asInt());
    Ended wrong = unlearn(trained, data, "x", "--forget", "row-3", "--with-copies", "all");
    assertEquals(ExitCode.USAGE, wrong.code(), wrong::toString);
  }

  @Test
  void skippedRowsAreRecordedAndPositionsStayThoseOfTheFile() {
    List<String> nameless = new ArrayList<>();
    rows().forEach(row -> nameless.add(row.replaceFirst("\"id\":\"[^\"]*\",", "")));
    nameless.set(2, "{\"input_ids\":[1],\"labels\":[1,2]}");
    nameless.set(4, "{\"input_ids\":[1,999,5],\"labels\":[-100,-100,5]}");
    Path data = place.write("bad.jsonl", nameless);
    Object[] train = {
      "train", "--model", place.model, "--data", data, "--out", place.at("a"), "--device", "reference",
      "--rank", 2, "--max-steps", 2, "--trajectory", "off"
    };
    Ended refused = Cli.run(train);
    assertEquals(ExitCode.FAILED, refused.code());
    assertTrue(refused.err().contains("bad.jsonl:3:"), refused.err());
    Ended skipping = Workplace.ok(Stream.concat(Stream.of(train), Stream.of("--skip-bad-rows")).toArray());
    assertTrue(skipping.err().contains("bad.jsonl:3:") && skipping.err().contains("bad.jsonl:5:"), skipping.err());
    assertEquals(2, record("a").path("skipped_rows").asInt());
    assertEquals(Workplace.ROWS - 2, record("a").path("n").asInt());
    JsonNode page = certificate(place.at("a"), data, "b", "--skip-bad-rows", "--forget", "5");
    assertTrue(page.path("notes").toString().contains("2 rows of the data file cannot be used"), page::toString);
    assertTrue(page.path("notes").toString().contains("lines 3, 5"), page::toString);
    assertEquals("5", page.path("request").path("changes").path(0).path("id").asString());
    Ended bad = unlearn(place.at("a"), data, "x", "--skip-bad-rows", "--forget", "4");
    assertTrue(bad.err().contains("no such row"), bad::toString);
  }

  private static List<String> rows(String... without) {
    List<String> lines = new ArrayList<>(Workplace.rows(Workplace.ROWS, 2));
    lines.removeIf(line -> Stream.of(without).anyMatch(id -> line.contains("\"" + id + "\"")));
    return lines;
  }

  private JsonNode record(String adapter) {
    return StrictJson.read(place.at(adapter).resolve("lethe_training.json"), LIMIT);
  }

  private JsonNode certificate(Path adapter, Path data, String out, Object... request) {
    Ended ended = unlearn(adapter, data, out, request);
    assertEquals(ExitCode.DONE, ended.code(), ended::toString);
    assertTrue(Files.exists(place.at(out)));
    return StrictJson.read(place.at(out).resolve("lethe_certificate.json"), LIMIT);
  }

  private Ended unlearn(Path adapter, Path data, String out, Object... request) {
    Object[] base = {
      "unlearn", "--model", place.model, "--adapter", adapter, "--data", data, "--out", place.at(out),
      "--device", "reference"
    };
    return Cli.run(Stream.concat(Stream.of(base), Stream.of(request)).toArray());
  }
}
