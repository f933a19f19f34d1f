package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Every command on a tiny model, from the words of the command line to what lies on the disk. Long because the commands
 * share that model and its adapter.
 */
class CommandsTest {
  @TempDir private static Path dir;
  private static Workplace place;
  private static Path adapter;

  @BeforeAll
  static void train() {
    place = new Workplace(dir);
    adapter = place.adapter("adapter");
  }

  private Object[] on(Object command, Object... more) {
    Object[] base = {
      command, "--model", place.model, "--adapter", adapter, "--device", "reference", "--json"
    };
    Object[] all = java.util.Arrays.copyOf(base, base.length + more.length);
    System.arraycopy(more, 0, all, base.length, more.length);
    return all;
  }

  private static JsonNode last(Ended ended) {
    return StrictJson.parse(ended.lines().getLast(), "output");
  }

  private static JsonNode whole(Ended ended) {
    return StrictJson.parse(ended.out(), "output");
  }

  @Test
  void trainLeavesAdapterRecordMomentsAndLog() {
    for (String name :
        List.of(
            "adapter_config.json",
            "adapter_model.safetensors",
            "lethe_training.json",
            "lethe_adamw.safetensors",
            "lethe_log.jsonl")) {
      assertTrue(Files.exists(adapter.resolve(name)), name);
    }
    assertTrue(Files.notExists(place.at("adapter.unfinished")));
  }

  @Test
  void evaluatePrintsEveryRowAndTheMean() {
    Ended ended = ok(on("evaluate", "--data", place.data));
    assertEquals(Workplace.ROWS + 1, ended.lines().size());
    double sum = 0;
    for (String line : ended.lines().subList(0, Workplace.ROWS)) {
      JsonNode row = StrictJson.parse(line, "row");
      assertEquals(2, row.path("tokens").asInt());
      sum += row.path("loss").asDouble();
    }
    assertEquals(sum / Workplace.ROWS, last(ended).path("mean_loss").asDouble(), 1e-12);
  }

  @Test
  void evaluateWithoutAnAdapterIsTheBaseModel() {
    Ended bare = ok("evaluate", "--model", place.model, "--data", place.data, "--device", "reference");
    double base = last(bare).path("mean_loss").asDouble();
    double tuned = last(ok(on("evaluate", "--data", place.data))).path("mean_loss").asDouble();
    assertTrue(tuned < base, tuned + " is not below " + base);
  }

  @Test
  void perSampleGradientsSumToTheGradient() {
    Path mean = place.at("mean.safetensors");
    Path each = place.at("each.safetensors");
    ok(on("gradients", "--data", place.data, "--out", mean));
    ok(on("gradients", "--data", place.data, "--out", each, "--per-sample"));
    try (SafeTensors one = SafeTensors.open(mean);
        SafeTensors all = SafeTensors.open(each)) {
      assertEquals(one.names(), all.names());
      for (String name : one.names()) {
        double[] sum = new double[Math.toIntExact(one.get(name).elements())];
        Tensor rows = all.get(name);
        for (int i = 0; i < Workplace.ROWS; i++) {
          double[] row = rows.row(i).toDoubles();
          for (int j = 0; j < sum.length; j++) {
            sum[j] += row[j] / Workplace.ROWS;
          }
        }
        assertArrayEquals(one.get(name).toDoubles(), sum, 1e-12, name);
      }
    }
  }

  @Test
  void hvpIsLinearAndDampingAddsTheVector() {
    Path v = place.at("v.safetensors");
    Path hv = place.at("hv.safetensors");
    Path damped = place.at("damped.safetensors");
    ok(on("gradients", "--data", place.data, "--out", v));
    ok(on("hvp", "--data", place.data, "--vector", v, "--out", hv));
    ok(on("hvp", "--data", place.data, "--vector", v, "--out", damped, "--damping", "0.5"));
    try (SafeTensors vector = SafeTensors.open(v);
        SafeTensors product = SafeTensors.open(hv);
        SafeTensors more = SafeTensors.open(damped)) {
      for (String name : vector.names()) {
        double[] expected = product.get(name).toDoubles();
        double[] direction = vector.get(name).toDoubles();
        for (int i = 0; i < expected.length; i++) {
          expected[i] += 0.5 * direction[i];
        }
        assertArrayEquals(expected, more.get(name).toDoubles(), 1e-12, name);
      }
    }
  }

  @Test
  void ggnFormIsNotNegativeAndTheHessianIsExact() {
    Path v = place.at("v2.safetensors");
    ok(on("gradients", "--data", place.data, "--out", v));
    JsonNode ggn =
        last(ok(on("hvp", "--data", place.data, "--vector", v, "--out", place.at("ggn"),
            "--curvature", "ggn")));
    assertTrue(ggn.path("quadratic_form").asDouble() > 0, ggn.toString());
    JsonNode hessian =
        last(ok(on("hvp", "--data", place.data, "--vector", v, "--out", place.at("hessian"))));
    assertTrue(
        Math.abs(hessian.path("norm").asDouble() - ggn.path("norm").asDouble())
            > 1e-6 * ggn.path("norm").asDouble());
  }

  @Test
  void influenceRanksARowFirstForItself() throws IOException {
    Path query = place.write("query.jsonl", Files.readAllLines(place.data).subList(3, 4));
    Path out = place.at("scores.jsonl");
    Ended ended = ok(on("influence", "--data", place.data, "--query", query, "--out", out));
    assertEquals("row-3", last(ended).path("helping").get(0).path("id").asString());
    JsonNode scores = StrictJson.parse(Files.readString(out), "scores");
    assertEquals(Workplace.ROWS, scores.path("scores").size());
    assertTrue(scores.path("scores").get(3).asDouble() > 0);
  }

  @Test
  void aDampingSweepIsATableToChooseFrom() {
    Path out = place.at("sweep");
    Ended ended =
        ok(on("unlearn", "--data", place.data, "--forget", "row-2", "--out", out,
            "--damping-sweep", "1,0.1,10"));
    JsonNode lines = last(ended).path("dampings");
    assertEquals(3, lines.size(), ended.out());
    assertEquals(0.1, lines.get(1).path("damping").asDouble());
    double smaller = lines.get(1).path("step_norm").asDouble();
    assertTrue(smaller > lines.get(2).path("step_norm").asDouble(), ended.out());
    for (JsonNode line : lines) {
      assertTrue(line.path("residual").asDouble() <= 1e-4, line.toString());
      assertTrue(Files.exists(out.resolve(line.path("step").asString())), line.toString());
    }
    assertTrue(Files.exists(out.resolve("lethe_damping.json")));
    Ended refused =
        Cli.run(on("unlearn", "--data", place.data, "--forget", "row-2", "--out", place.at("x"),
            "--damping-sweep", "1,2", "--damping", "1"));
    assertEquals(ExitCode.USAGE, refused.code(), refused.err());
  }

  @Test
  void influenceOfSeveralQueriesInABlockIsTheSame() throws IOException {
    Path alone = place.at("alone.jsonl");
    Path block = place.at("block.jsonl");
    ok(on("influence", "--data", place.data, "--query", place.data, "--damping", "0.5",
        "--tolerance", "1e-9", "--out", alone));
    ok(on("influence", "--data", place.data, "--query", place.data, "--damping", "0.5",
        "--tolerance", "1e-9", "--solver", "block-cg", "--out", block));
    List<String> one = Files.readAllLines(alone);
    List<String> many = Files.readAllLines(block);
    assertEquals(one.size(), many.size());
    for (int q = 0; q < one.size(); q++) {
      JsonNode expected = StrictJson.parse(one.get(q), "row").path("scores");
      JsonNode found = StrictJson.parse(many.get(q), "row").path("scores");
      for (int i = 0; i < Workplace.ROWS; i++) {
        assertEquals(expected.get(i).asDouble(), found.get(i).asDouble(), 1e-7);
      }
    }
  }

  @Test
  void unlearnRaisesTheForgottenLossAndTheFilesSaySo() {
    Path out = place.at("forgotten");
    Ended ended =
        ok(on("unlearn", "--data", place.data, "--forget", "row-2,row-5", "--out", out,
            "--damping", "0.05", "--held-out", place.data));
    JsonNode losses = whole(ended).path("losses");
    double before = losses.path("forgotten").path("before").asDouble();
    double after = losses.path("forgotten").path("after").asDouble();
    assertTrue(after > before, losses.toString());
    Path rows = place.write("two.jsonl", forgottenRows());
    Ended evaluated =
        ok("evaluate", "--model", place.model, "--adapter", out, "--data", rows, "--device",
            "reference");
    assertEquals(after, last(evaluated).path("mean_loss").asDouble(), 1e-9);
    assertTrue(Files.exists(out.resolve("lethe_step.safetensors")));
    assertTrue(Files.exists(out.resolve("lethe_certificate.json")));
  }

  @Test
  void certificateRowsChangeTheCertificateAlone() throws IOException {
    JsonNode all = certificate("c-all", "all");
    JsonNode drawn = certificate("c-drawn", "4");
    JsonNode none = certificate("c-none", "none");
    assertEquals(-1, Files.mismatch(step("c-all"), step("c-drawn")));
    assertEquals(-1, Files.mismatch(step("c-all"), step("c-none")));
    assertEquals(Workplace.ROWS - 2, all.path("gradients").path("targetRows").asInt());
    assertEquals(4, drawn.path("gradients").path("targetRows").asInt());
    assertEquals(4, drawn.path("losses").path("retained").path("rows").asInt());
    assertEquals(0, none.path("gradients").path("targetRows").asInt(-1));
    assertTrue(none.path("gradients").path("targetAfter").isNull(), none.toString());
    assertTrue(none.path("losses").path("retained").isNull(), none.toString());
  }

  private JsonNode certificate(String out, String rows) {
    return whole(
        ok(on("unlearn", "--data", place.data, "--forget", "row-2,row-5", "--out", place.at(out),
            "--damping", "0.05", "--certificate-rows", rows)));
  }

  private Path step(String out) {
    return place.at(out).resolve("lethe_step.safetensors");
  }

  private List<String> forgottenRows() {
    List<String> rows = Workplace.rows(Workplace.ROWS, 2);
    return List.of(rows.get(2), rows.get(5));
  }

  @Test
  void replacementsInOrderEqualReplacementsById() throws IOException {
    String named = Workplace.row("row-4", new SplittableRandom(9));
    Path byId = place.write("by-id.jsonl", List.of(named));
    Path unnamed = place.write("unnamed.jsonl", List.of(named.replace("\"id\":\"row-4\",", "")));
    ok(on("unlearn", "--data", place.data, "--replace", byId, "--out", place.at("r1")));
    ok(on("unlearn", "--data", place.data, "--forget", "row-4", "--replace", unnamed, "--in-order",
        "--out", place.at("r2")));
    String weights = "adapter_model.safetensors";
    assertEquals(
        -1L,
        Files.mismatch(place.at("r1").resolve(weights), place.at("r2").resolve(weights)));
  }

  @Test
  void anEmptyRequestChangesNoByteAndSaysSo() throws IOException {
    Path out = place.at("same");
    Path none = place.write("none.txt", "\n");
    Ended ended =
        ok("unlearn", "--model", place.model, "--adapter", adapter, "--data", place.data,
            "--forget", "@" + none, "--out", out, "--device", "reference");
    assertTrue(ended.out().contains("The request is empty"), ended.out());
    for (String name : List.of("adapter_model.safetensors", "adapter_config.json")) {
      assertEquals(-1L, Files.mismatch(adapter.resolve(name), out.resolve(name)), name);
    }
  }

  @Test
  void generateContinuesTokens() {
    Ended ended = ok(on("generate", "--prompt-ids", "1,5", "--max-new-tokens", 7, "--ignore-eos"));
    assertEquals(7, last(ended).path("new_ids").size());
    Ended again = ok(on("generate", "--prompt-ids", "1,5", "--max-new-tokens", 7, "--ignore-eos"));
    assertEquals(last(ended).path("new_ids"), last(again).path("new_ids"));
  }

  @Test
  void inspectCountsParameters() {
    JsonNode json = whole(ok(on("inspect")));
    Map<String, Long> sizes = Map.of("layers", 2L, "hidden", 12L, "vocabulary", 23L);
    sizes.forEach((name, size) -> assertEquals(size, json.path("model").path(name).asLong(), name));
    assertEquals(14, json.path("adapter").path("pairs").asInt());
    assertTrue(json.path("memory").path("unlearn").asLong() > 0);
  }

  @Test
  void toTheMinimumIsRecordedAndUsedByUnlearning() {
    Path calm = place.adapter("calm", "--to-minimum", "1e-4", "--l2", "0.05", "--targets", "down_proj");
    JsonNode note = StrictJson.readObject(calm.resolve("lethe_minimum.json"), 10000);
    assertTrue(note.path("converged").asBoolean(), note.toString());
    Ended ended =
        ok("unlearn", "--model", place.model, "--adapter", calm, "--data", place.data, "--forget",
            "row-1", "--out", place.at("calmer"), "--device", "reference", "--json");
    assertEquals(0.05, whole(ended).path("system").path("weightDecay").asDouble());
    assertTrue(whole(ended).path("gradients").path("unrest").asDouble() < 0.1, ended::toString);
  }

  @Test
  void benchPrintsTheFieldsOfThePeer() {
    Ended ended =
        ok("bench", "--workload", "micro", "--batch", 2, "--seq", 6, "--runs", 1, "--warmup", 0,
            "--device", "reference");
    assertEquals(6, ended.lines().size());
    for (String line : ended.lines()) {
      JsonNode row = StrictJson.parse(line, "bench");
      for (String field :
          List.of("peer", "workload", "device", "dtype", "batch", "seq", "op", "way", "median_s",
              "min_s", "tokens_per_s", "machine", "flops", "bytes", "peak_share",
              "bandwidth_share", "peak_bytes", "tensor_bytes")) {
        assertTrue(row.has(field), field + " in " + line);
      }
      assertTrue(row.path("median_s").asDouble() > 0);
    }
  }

  @Test
  void benchTimesKernelsAndCompareDrawsItsFiles() {
    Ended ended =
        ok("bench", "--workload", "micro", "--batch", 1, "--seq", 5, "--layers", 1, "--runs", 1,
            "--warmup", 0, "--device", "cpu", "--ops", "grad", "--kernels");
    assertTrue(ended.err().contains("grad, calls"), ended::toString);
    assertTrue(
        ended.lines().stream().anyMatch(line -> line.contains("\"kernel\":\"lora.gradient\"")),
        ended::toString);
    assertTrue(ended.lines().getFirst().contains("\"layers\":1"), ended::toString);
    Path one = place.write("one.jsonl", ended.lines());
    Path chart = place.at("chart.svg");
    Ended compared = ok("compare", one, one, "--svg", chart, "--target", "grad=0.8");
    assertTrue(compared.out().contains("0.80 missed"), compared::toString);
    assertTrue(Files.exists(chart));
    assertEquals(ExitCode.USAGE, Cli.run("compare", one, one, "--target", "hvp=1").code());
    assertEquals(ExitCode.FAILED, Cli.run("compare", one, place.at("absent")).code());
  }

  @Test
  void benchRefusesWhatDoesNotFitAndSaysWhatWould() {
    Ended ended =
        Cli.run("bench", "--workload", "llama7b", "--batch", 20_000, "--device", "reference");
    assertEquals(ExitCode.ENVIRONMENT, ended.code(), ended::toString);
    assertTrue(ended.err().contains("needs about"), ended::toString);
    assertTrue(ended.err().contains("Use "), ended::toString);
  }

  @Test
  void selftestAgreesWithTheReference() {
    Ended ended = ok("selftest", "--device", "cpu");
    assertTrue(ended.out().contains("checks agree with the reference"), ended.out());
  }

  @Test
  void doctorNamesEveryBackend() {
    JsonNode json = whole(ok("doctor", "--json"));
    assertTrue(json.path("findings").toString().contains("backend reference"));
    assertEquals("cpu", json.path("device").asString());
  }
}
