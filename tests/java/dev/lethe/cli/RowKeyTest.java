package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.session.Session;
import dev.lethe.train.TrainingRecord;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Without the key nobody can try guesses of rows on what leaves the machine; with it everything still fits together.
 */
class RowKeyTest {
  @TempDir private Path dir;
  private Workplace place;
  private List<Sample> rows;

  @BeforeEach
  void modelAndRows() {
    place = new Workplace(dir);
    try (Session session = Session.open(place.model, "reference")) {
      rows = session.samples(place.data);
    }
  }

  private Path forget(Path adapter, String ids, String out) {
    ok(
        "unlearn", "--model", place.model, "--adapter", adapter, "--data", place.data, "--forget", ids, "--out",
        place.at(out), "--device", "reference", "--method", "influence");
    return place.at(out);
  }

  @Test
  void trainingMakesANewKeyForItsOwnerAlone() throws IOException {
    Path one = place.adapter("one");
    Path other = place.adapter("other");
    RowKey key = RowKey.beside(one).orElseThrow();
    assertEquals(64, key.hex().length());
    assertNotEquals(key.hex(), RowKey.beside(other).orElseThrow().hex());
    assertEquals(
        "rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(one.resolve(RowKey.FILE))));
    assertEquals(
        key.hex(),
        StrictJson.readObject(one.resolve("lethe_trajectory/trajectory.json"), 1 << 20).get("row_key").asString());
    Path third = place.adapter("third", "--row-key", one.resolve(RowKey.FILE));
    assertEquals(-1, Files.mismatch(one.resolve(TrainingRecord.FILE), third.resolve(TrainingRecord.FILE)));
  }

  /** What a person with a guess can compute without the key is nowhere in what he may get. */
  @Test
  void noPlainHashOfRowsLeaves() throws IOException {
    Path trained = place.adapter("trained");
    Path forgotten = forget(trained, "row-3", "forgotten");
    Path again = forget(forgotten, "row-5", "again");
    List<String> computable =
        Stream.concat(
                rows.stream().map(Sample::hash),
                Stream.of(
                    TrainingRecord.dataSha256(rows),
                    TrainingRecord.contentsSha256(rows),
                    TrainingRecord.dataSha256(without("row-3")),
                    TrainingRecord.contentsSha256(without("row-3"))))
            .toList();
    for (Path folder : List.of(trained, forgotten, again)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          String text = Files.readString(file, StandardCharsets.ISO_8859_1);
          computable.forEach(hash -> assertFalse(text.contains(hash), file + " holds " + hash));
        }
      }
    }
    JsonNode certificate = certificate(again);
    RowKey key = RowKey.beside(trained).orElseThrow();
    assertEquals(key.id(), certificate.path("hashes").path("rowKeyId").asString());
    assertEquals(key.of(rows.get(5).hash()), certificate.at("/request/changes/0/oldHash").asString());
    assertEquals(key.of(rows.get(3).hash()), certificate.at("/request/earlier/0/oldHash").asString());
    assertEquals(-1, Files.mismatch(trained.resolve(RowKey.FILE), again.resolve(RowKey.FILE)));
  }

  private List<Sample> without(String id) {
    return rows.stream().filter(row -> !row.id().equals(id)).toList();
  }

  @Test
  void anAdapterWithoutAKeyGetsOne() throws IOException {
    Path trained = place.adapter("trained");
    Files.delete(trained.resolve(RowKey.FILE));
    Path forgotten = forget(trained, "row-3", "forgotten");
    RowKey key = RowKey.beside(forgotten).orElseThrow();
    assertEquals(key.id(), certificate(forgotten).at("/hashes/rowKeyId").asString());
    assertTrue(
        certificate(forgotten).path("notes").toString().contains("nobody can tell whether the data are those"),
        certificate(forgotten).path("notes")::toString);
  }

  @Test
  void withoutTheKeyOfEarlierRequestsRowsAreToldByTheirIds() throws IOException {
    Path forgotten = forget(place.adapter("trained"), "row-3", "forgotten");
    Files.delete(forgotten.resolve(RowKey.FILE));
    Path again = forget(forgotten, "row-5", "again");
    JsonNode page = certificate(again);
    assertTrue(page.path("notes").toString().contains("told by their ids alone"), page.path("notes")::toString);
    assertEquals("row-3", page.at("/request/earlier/0/id").asString());
    assertTrue(page.at("/request/earlier/0/oldHash").isNull());
    assertEquals(11, page.at("/request/rows").intValue());
    Ended twice =
        Cli.run(
            "unlearn", "--model", place.model, "--adapter", again, "--data", place.data, "--forget", "row-3",
            "--out", place.at("thrice"), "--device", "reference");
    assertTrue(twice.err().contains("were removed from this adapter already"), twice.err());
  }

  /** Certificates of the second format, with plain hashes, as adapters of before have them. */
  @Test
  void plainHashesOfOldCertificatesStillFitAndAreRemarkedOn() throws IOException {
    Path forgotten = forget(place.adapter("trained"), "row-3", "forgotten");
    Path file = forgotten.resolve("lethe_certificate.json");
    ObjectNode old = StrictJson.readObject(file, 1 << 20);
    old.put("format", "lethe-unlearning-certificate/2");
    ((ObjectNode) old.get("hashes")).remove("rowKeyId");
    ObjectNode change = (ObjectNode) old.at("/request/changes/0");
    change.remove(List.of("oldHash", "newHash"));
    change.put("oldSha256", rows.get(3).hash()).putNull("newSha256");
    Files.writeString(file, old.toString());
    Path again = forget(forgotten, "row-5", "again");
    JsonNode page = certificate(again);
    assertTrue(page.path("notes").toString().contains("name rows by plain hashes"), page.path("notes")::toString);
    assertEquals(
        RowKey.beside(again).orElseThrow().of(rows.get(3).hash()), page.at("/request/earlier/0/oldHash").asString());
    Path other = place.write("other.jsonl", Files.readString(place.data).replaceAll("(\"row-3\",\"input_ids\":\\[1),\\d+", "$1,7"));
    Ended newRow =
        Cli.run(
            "unlearn", "--model", place.model, "--adapter", forgotten, "--data", other, "--forget", "row-3",
            "--out", place.at("new-row"), "--device", "reference", "--method", "influence");
    assertEquals(0, newRow.code(), newRow::toString);
  }

  @Test
  void aFileThatHoldsNoKeyIsRefused() {
    Path bad = place.write("bad", "secret!\n");
    Ended ended =
        Cli.run(
            "train", "--model", place.model, "--data", place.data, "--out", place.at("x"), "--row-key", bad);
    assertEquals(2, ended.code(), ended::toString);
    assertTrue(ended.err().contains("lower-case hexadecimal"), ended.err());
    assertFalse(ended.err().contains("secret!"), ended.err());
  }

  private static JsonNode certificate(Path folder) {
    return StrictJson.readObject(folder.resolve("lethe_certificate.json"), 1 << 20);
  }
}
