package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.reference.ReferenceBackend;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.session.Session;
import dev.lethe.tensor.Scope;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Measures of {@code lethe assess} that are taken where they are asked for. */
class FurtherMeasuresTest {
  private static final String FORGOTTEN = "row-0,row-1,row-2,row-3,row-4,row-5";

  @TempDir private static Path dir;

  private static Workplace work;
  private static Path original;
  private static Path retrained;

  @BeforeAll
  static void train() {
    work = new Workplace(dir);
    original = trained("original");
    retrained = trained("retrained", "--without", FORGOTTEN);
  }

  private static Path trained(String name, Object... more) {
    Object[] base = {
      "train", "--model", work.model, "--data", work.data, "--out", work.at(name), "--device", "reference", "--rank", 2,
      "--lr", "0.03", "--epochs", 40, "--batch", 4, "--quiet"
    };
    ok(Stream.concat(Stream.of(base), Stream.of(more)).toArray());
    return work.at(name);
  }

  private static Object[] assess(String unlearned, String out, Object... more) {
    Object[] base = {
      "assess", "--model", work.model, "--data", work.data, "--original", original, "--unlearned", unlearned,
      "--retrained", retrained, "--forget", FORGOTTEN, "--out", work.at(out), "--device", "reference", "--draws", 100,
      "--quiet"
    };
    return Stream.concat(Stream.of(base), Stream.of(more)).toArray();
  }

  private static JsonNode section(String out, String name) {
    return StrictJson.read(work.at(out).resolve("assessment.json"), 1 << 24).path("sections").path(name);
  }

  private static double value(JsonNode section, String line, String column) {
    JsonNode cell = section.path("lines").path(line).path(column).path("value");
    assertTrue(cell.isNumber(), line + ", " + column + ": " + section);
    return cell.asDouble();
  }

  @Test
  void retrainingRelearnsAsItself() {
    ok(assess(retrained.toString(), "relearned", "--relearn", 20, "--relearn-rate", "0.01"));
    JsonNode same = section("relearned", "relearning");
    assertEquals(0, value(same, "brought back", "unlearned less retrained"), 1e-12);
    assertEquals(
        value(same, "loss before", "original") - value(same, "loss after", "original"),
        value(same, "brought back", "original"),
        1e-9);
    assertTrue(value(same, "loss before", "original") < value(same, "loss before", "retrained"));
    ok(assess(original.toString(), "hidden", "--relearn", 20, "--relearn-rate", "0.01"));
    JsonNode nothing = section("hidden", "relearning");
    assertEquals(value(nothing, "loss after", "original"), value(nothing, "loss after", "unlearned"), 1e-12);
  }

  /** What NF4 leaves of an adapter is what it leaves of the model that the adapter is merged into. */
  @Test
  void fourBitsAreThoseOfTheMergedModel() {
    ok(assess(retrained.toString(), "rounded", "--four-bits"));
    JsonNode same = section("rounded", "four_bits");
    assertEquals(0, value(same, "forgotten, brought back", "unlearned less retrained"), 1e-12);
    assertEquals(0, value(same, "retained, brought back", "unlearned less retrained"), 1e-12);
    assertEquals(
        value(same, "forgotten, loss before", "original") - value(same, "forgotten, loss after", "original"),
        value(same, "forgotten, brought back", "original"),
        1e-9);
    ok(
        "merge", "--model", work.model, "--adapter", original, "--out", work.at("merged"), "--weights", "F32", "--device",
        "reference");
    try (HfModelFolder files = HfModelFolder.open(work.at("merged"));
        ReferenceBackend backend = new ReferenceBackend();
        LanguageModel plain = LanguageModel.open(files, backend);
        LoraAdapter nothing =
            LoraAdapter.create(
                PeftAdapterConfig.create(1, 1, 0, plain.spec().linearNames(), "merged"), plain, 1);
        LanguageModel rounded = LanguageModel.openMergedInFourBits(files, backend, nothing);
        Scope scope = backend.openScope("four bits");
        Session session = Session.open(work.model, "reference")) {
      List<Sample> rows = session.samples(work.data).subList(0, 6);
      double[] losses =
          new DatasetLoss(new AdaptedModel(rounded, null), rows, BatchLimits.DEFAULT)
              .losses(scope.allocate(backend.vectorType(), 0));
      assertEquals(
          Arrays.stream(losses).average().orElseThrow(), value(same, "forgotten, loss after", "original"), 1e-5,
          "the merged folder holds sums in float32");
    }
  }

  @Test
  void theCalibrationMixesAsFarAsRetainedRowsAllow() {
    ok(assess(original.toString(), "nothing", "--calibrate"));
    JsonNode nothing = section("nothing", "calibrated");
    assertEquals(1, value(nothing, "share of the unlearned adapter", "calibrated"), "doing nothing may be mixed whole");
    assertEquals(value(nothing, "forgotten, loss", "unlearned"), value(nothing, "forgotten, loss", "calibrated"), 1e-12);
    ok(
        "unlearn", "--model", work.model, "--adapter", original, "--data", work.data, "--forget", FORGOTTEN, "--method",
        "gradient-ascent", "--set", "lr=0.1,epochs=30", "--out", work.at("ruined"), "--device", "reference", "--quiet");
    ok(assess(work.at("ruined").toString(), "ruin", "--calibrate"));
    JsonNode ruin = section("ruin", "calibrated");
    double share = value(ruin, "share of the unlearned adapter", "calibrated");
    assertTrue(share < 1, "a ruined adapter may not: " + share);
    assertTrue(
        value(ruin, "retained, extraction strength", "calibrated")
            > value(ruin, "retained, extraction strength", "unlearned"),
        ruin::toString);
  }

  @Test
  void lirasNeedFourOfAKind() {
    String two = original + "," + original;
    ok(assess(two, "two"));
    assertTrue(section("two", "u_lira").isMissingNode());
    assertFalse(section("two", "distance_kl").isMissingNode());
  }

  @Test
  void optionsAreChecked() {
    for (Object[] wrong :
        new Object[][] {{"--relearn", 0}, {"--relearn-rate", 0}, {"--answers", "Yes."}}) {
      assertEquals(ExitCode.USAGE, Cli.run(assess(original.toString(), "wrong", wrong)).code());
    }
  }
}
