package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.assess.record.Manifest;
import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code lethe assess} on a tiny model: the ends of every scale, and what is refused. */
class AssessCommandTest {
  @TempDir private static Path dir;

  private static Workplace work;
  private static Path original;
  private static Path retrained;
  private static Path heldOut;

  @BeforeAll
  static void train() {
    work = new Workplace(dir);
    original = work.adapter("original");
    retrained = work.adapter("retrained", "--without", "row-0,row-1,row-2,row-3,row-4,row-5,row-6,row-7");
    heldOut = work.write("held.jsonl", Workplace.rows(10, 77));
  }

  private static Object[] assess(Path unlearned, String out, Object... more) {
    Object[] base = {
      "assess", "--model", work.model, "--data", work.data, "--original", original, "--unlearned", unlearned,
      "--retrained", retrained, "--forget", "row-0,row-1,row-2,row-3,row-4,row-5,row-6,row-7", "--out", work.at(out),
      "--device", "reference", "--draws", 200, "--quiet"
    };
    return Stream.concat(Stream.of(base), Stream.of(more)).toArray();
  }

  private static JsonNode record(String out) {
    return StrictJson.read(work.at(out).resolve("assessment.json"), 1 << 24);
  }

  private static double value(JsonNode record, String section, String line, String column) {
    return record.path("sections").path(section).path("lines").path(line).path(column).path("value").asDouble();
  }

  @Test
  void doingNothingClosesNothingAndRetrainingClosesAll() {
    ok(assess(original, "nothing", "--held-out", heldOut));
    JsonNode nothing = record("nothing");
    for (String group : List.of("forgotten", "retained", "held-out")) {
      assertEquals(0, value(nothing, "distance_kl", group, "closed"), 1e-12, group);
      assertEquals(0, value(nothing, "distance_loss", group, "closed"), 1e-12, group);
    }
    assertEquals(1, value(nothing, "nearer_to_retrained", "forgotten", "p"), 1e-12);
    assertEquals(
        value(nothing, "attacks", "min-k", "original"), value(nothing, "attacks", "min-k", "unlearned"), 1e-15);

    Ended ended = ok(assess(retrained, "all", "--held-out", heldOut));
    JsonNode all = record("all");
    assertEquals(1, value(all, "distance_kl", "forgotten", "closed"), 1e-12);
    assertEquals(1, value(all, "distance_loss", "retained", "closed"), 1e-12);
    assertEquals(0, value(all, "attacks", "PrivLeak, %", "unlearned"), 1e-12);
    assertEquals(1.0 / 256, value(all, "nearer_to_retrained", "forgotten", "p"), 1e-12, "2⁸ signs");
    assertTrue(ended.out().contains("On forgotten rows 100 % of the distance to retraining is closed"), ended::toString);
    assertEquals(8, all.path("request").path("removed").asInt());
    assertEquals(64, all.path("hashes").path("data").stringValue().length());
  }

  @Test
  void severalOfEachGiveKlomAndOthersTheNoiseFloor() {
    Path other = work.adapter("other", "--without", "row-0,row-1,row-2,row-3,row-4,row-5,row-6,row-7", "--seed", 5);
    JsonNode record =
        StrictJson.parse(
            ok(assess(original, "several", "--noise", other, "--json")).out(), "output");
    double noise = value(record, "distance_kl", "forgotten", "other retrainings");
    assertTrue(noise > 0, "another seed predicts something else");
    JsonNode pair =
        StrictJson.parse(
            ok("assess", "--model", work.model, "--data", work.data, "--original", original, "--unlearned",
                    original + "," + retrained, "--retrained", retrained + "," + other, "--forget", "row-0",
                    "--out", work.at("pair"), "--device", "reference", "--json", "--quiet")
                .out(),
            "output");
    assertTrue(pair.path("sections").path("klom").path("remarks").get(0).stringValue().contains("histograms"));
    assertTrue(value(pair, "klom", "forgotten", "unlearned") >= 0);
  }

  @Test
  void withoutHeldOutRowsEachAttackIsRefusedByName() {
    Ended ended = ok(assess(retrained, "unattacked"));
    for (String attack : List.of("loss", "zlib", "min-k", "min-k++", "reference", "gradient norm", "PrivLeak")) {
      assertTrue(ended.out().contains(attack), attack);
    }
    assertTrue(ended.out().contains("need --held-out FILE"), ended::toString);
    assertTrue(record("unattacked").path("sections").path("attacks").path("lines").isEmpty());
  }

  @Test
  void verifyMeasuresAgainAndSeesWhatIsAnother() throws IOException {
    ok(assess(retrained, "again", "--held-out", heldOut));
    Ended agreed = ok(verify("again", retrained, "--held-out", heldOut));
    assertTrue(agreed.out().contains("numbers were measured again"), agreed::toString);
    refused(ExitCode.FAILED, "the hash of heldOut is another", verify("again", retrained, "--held-out", other()));
    refused(
        ExitCode.FAILED, "the hash of unlearned adapter original is another",
        verify("again", original, "--held-out", heldOut));
    refused(ExitCode.USAGE, "are given together or not", "verify", work.at("again"), "--model", work.model);
    Path record = work.at("again").resolve("assessment.json");
    JsonNode losses = record("again").path("sections").path("losses").path("lines").path("retained").path("original");
    String number = losses.path("value").asString();
    Files.writeString(record, Files.readString(record).replace(number, "0.125"));
    refused(ExitCode.FAILED, "does not agree", verify("again", retrained, "--held-out", heldOut));
    Files.delete(work.at("again").resolve("manifest.json"));
    AtomicFiles.writeText(
        work.at("again").resolve("manifest.json"), StrictJson.write(Manifest.of(work.at("again"), null)));
    refused(
        ExitCode.FAILED, "Losses, retained, original is another number; expected 0.125",
        verify("again", retrained, "--held-out", heldOut));
  }

  private static Path other() {
    return work.write("other.jsonl", Workplace.rows(10, 78));
  }

  private static Object[] verify(String out, Path unlearned, Object... more) {
    Object[] base = {
      "verify", work.at(out), "--model", work.model, "--data", work.data, "--original", original, "--unlearned",
      unlearned, "--retrained", retrained, "--device", "reference"
    };
    return Stream.concat(Stream.of(base), Stream.of(more)).toArray();
  }

  @Test
  void heldOutRowsThatWereTrainedOnAreRefused() {
    refused(ExitCode.FAILED, "held-out rows: rows were trained on", assess(retrained, "trained", "--held-out", work.data));
  }

  @Test
  void whatCannotBeAssessedIsRefusedBeforeAnythingIsWritten() throws IOException {
    refused(ExitCode.USAGE, "--rows, --answered and --max-new-tokens are at least 1", assess(retrained, "few", "--rows", 0));
    refused(
        ExitCode.FAILED, "--retrained: adapters cannot be paired",
        "assess", "--model", work.model, "--data", work.data, "--original", original, "--unlearned", original,
        "--retrained", retrained + "," + original, "--forget", "row-0", "--out", work.at("unpaired"), "--device",
        "reference");
    refused(
        ExitCode.USAGE, "there is nothing to assess",
        "assess", "--model", work.model, "--data", work.data, "--original", original, "--unlearned", original,
        "--retrained", retrained, "--out", work.at("empty"), "--device", "reference");
    assertFalse(Files.exists(work.at("few")));
    assertFalse(Files.exists(work.at("unpaired")));
    assertFalse(Files.exists(work.at("empty")));
  }

  private static void refused(int code, String says, Object... args) {
    Ended ended = Cli.run(args);
    assertEquals(code, ended.code(), ended::toString);
    assertTrue(ended.err().contains(says), ended::toString);
  }
}
