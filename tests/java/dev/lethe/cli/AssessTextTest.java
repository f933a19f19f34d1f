package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code lethe assess} on rows of text: answers, TOFU's measures, the page for people. */
class AssessTextTest {
  private static final Path TOKENIZER = Path.of("tests", "resources", "tiny_tokenizer");
  private static final String FORGET = "0,1,2,3,4,5,6,7";

  @TempDir private static Path dir;

  private static Path model;
  private static Path data;
  private static Path original;
  private static Path retrained;

  @BeforeAll
  static void train() throws IOException {
    TinyModels.Dims dims = new TinyModels.Dims(1, 12, 17, 6, 2, 512, 64, "");
    model = TinyModels.writeFolder(dir.resolve("model"), dims, 1);
    for (String name : List.of("tokenizer.json", "tokenizer_config.json")) {
      Files.copy(TOKENIZER.resolve(name), model.resolve(name));
    }
    data = Files.write(dir.resolve("data.jsonl"), rows(0, 16));
    original = adapter("original");
    retrained = adapter("retrained", "--without", FORGET);
    Path tofu = Files.createDirectories(dir.resolve("tofu"));
    Files.write(tofu.resolve("forget01_perturbed.json"), questions(0, 8));
    Files.write(tofu.resolve("retain_perturbed.json"), questions(8, 16));
    Files.write(tofu.resolve("real_authors_perturbed.json"), questions(20, 28));
    Files.write(tofu.resolve("world_facts_perturbed.json"), questions(30, 38));
  }

  private static String answer(int i) {
    return "the secret " + (char) ('a' + i % 26) + i;
  }

  private static List<String> rows(int from, int to) {
    List<String> rows = new ArrayList<>();
    for (int i = from; i < to; i++) {
      rows.add("{\"id\":\"%d\",\"question\":\"who is %d?\",\"answer\":\"%s\"}".formatted(i, i, answer(i)));
    }
    return rows;
  }

  private static List<String> questions(int from, int to) {
    List<String> rows = new ArrayList<>();
    for (int i = from; i < to; i++) {
      rows.add(
          "{\"question\":\"who is %d?\",\"answer\":\"%s\",\"perturbed_answer\":[\"a cat\",\"dogs %d\"]}"
              .formatted(i, answer(i), i));
    }
    return rows;
  }

  private static Path adapter(String name, Object... more) {
    Path out = dir.resolve(name);
    Object[] base = {
      "train", "--model", model, "--data", data, "--out", out, "--device", "reference", "--rank", 2, "--lr", "0.01",
      "--epochs", 2, "--batch", 4, "--quiet"
    };
    ok(Stream.concat(Stream.of(base), Stream.of(more)).toArray());
    return out;
  }

  private static Ended assess(String out, Object... more) throws IOException {
    Path heldOut = Files.write(dir.resolve("held.jsonl"), rows(40, 50));
    Object[] base = {
      "assess", "--model", model, "--data", data, "--original", original, "--unlearned", original, "--retrained",
      retrained, "--forget", FORGET, "--held-out", heldOut, "--out", dir.resolve(out), "--device", "reference",
      "--draws", 100, "--max-new-tokens", 6, "--quiet"
    };
    return Cli.run(Stream.concat(Stream.of(base), Stream.of(more)).toArray());
  }

  @Test
  void everythingIsMeasuredAndNoTextIsTold() throws IOException {
    Ended ended = assess("plain", "--tofu", dir.resolve("tofu"));
    assertEquals(ExitCode.DONE, ended.code(), ended::toString);
    Path out = dir.resolve("plain");
    String html = Files.readString(out.resolve("report.html"));
    String record = Files.readString(out.resolve("assessment.json"));
    for (String text : List.of(html, record, ended.out())) {
      assertFalse(text.contains("secret"), "no text of a row");
      assertFalse(text.contains("who is"), "no text of a row");
    }
    assertTrue(html.startsWith("<!doctype html>"));
    assertFalse(html.contains("<script") || html.contains("src=") || html.contains("href="), "nothing is fetched");
    assertEquals(3, html.split("<svg ", -1).length - 1, "three pictures");
    JsonNode sections = StrictJson.parse(record, "record").path("sections");
    for (String key : List.of("answers", "attacks", "tofu_forget_quality", "tofu_model_utility")) {
      assertFalse(sections.path(key).path("lines").isEmpty(), key);
    }
    assertTrue(sections.path("attacks").path("lines").has("zlib"));
  }

  @Test
  void forgetQualityComparesWithTheRetrainedAdapterAndUtilityIsTheHarmonicMean() throws IOException {
    JsonNode sections =
        StrictJson.parse(assess("tofu-numbers", "--tofu", dir.resolve("tofu"), "--json").out(), "record").path("sections");
    JsonNode quality = sections.path("tofu_forget_quality").path("lines");
    assertEquals(
        quality.path("KS statistic D").path("original").path("value"),
        quality.path("KS statistic D").path("unlearned").path("value"),
        "the same adapter");
    assertEquals("the reference", quality.path("forget quality, p").path("retrained").path("note").stringValue());
    JsonNode utility = sections.path("tofu_model_utility").path("lines");
    double inverse = 0;
    double least = 1;
    int parts = 0;
    for (String line : utility.propertyNames()) {
      if (!line.equals("model utility")) {
        double part = utility.path(line).path("original").path("value").asDouble();
        inverse += 1 / part;
        least = Math.min(least, part);
        parts++;
      }
    }
    assertEquals(9, parts);
    double expected = least == 0 ? 0 : 9 / inverse;
    assertEquals(expected, utility.path("model utility").path("original").path("value").asDouble(), 1e-12);
  }

  @Test
  void textsAreShownWhereTheyAreAskedFor() throws IOException {
    Ended ended = assess("texts", "--texts");
    assertEquals(ExitCode.DONE, ended.code(), ended::toString);
    String html = Files.readString(dir.resolve("texts").resolve("report.html"));
    assertTrue(html.contains("Forgotten ones are among them"));
    assertTrue(html.contains("the secret a0"), "the true answer of row 0");
  }

  @Test
  void aSignedChainAgreesUntilSomethingIsChanged() throws Exception {
    KeyPair keys = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    Path secret = pem("key.pem", "PRIVATE KEY", keys.getPrivate());
    Path open = pem("pub.pem", "PUBLIC KEY", keys.getPublic());
    Path other = pem("other.pem", "PUBLIC KEY", KeyPairGenerator.getInstance("Ed25519").generateKeyPair().getPublic());
    assertEquals(ExitCode.DONE, assess("signed", "--sign", secret).code());
    Path folder = dir.resolve("signed");
    Ended verified = ok("verify", folder, "--key", open);
    assertEquals(8, verified.lines().size(), verified::toString);
    assertTrue(verified.out().contains("its signature is by this key"));
    refused("not signed by this key", "verify", folder, "--key", other);
    refused("is no Ed25519 key", "verify", folder, "--key", secret);
    Path report = folder.resolve("report.html");
    Files.writeString(report, Files.readString(report).replace("Has it forgotten?", "It has forgotten."));
    refused("link 7 of the chain does not agree; expected report.html", "verify", folder);
    refused("is no Ed25519 key", "assess", "--model", model, "--data", data, "--original", original, "--unlearned",
        original, "--retrained", retrained, "--forget", "0", "--out", dir.resolve("no"), "--sign", open);
  }

  private static Path pem(String name, String kind, Key key) throws IOException {
    String text = Base64.getMimeEncoder().encodeToString(key.getEncoded());
    return Files.writeString(dir.resolve(name), "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(kind, text, kind));
  }

  private static void refused(String says, Object... args) {
    Ended ended = Cli.run(args);
    assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
    assertTrue(ended.err().contains(says), ended::toString);
  }

  @Test
  void aBenchmarkFileWithAnotherFieldIsRefused() throws IOException {
    Path folder = Files.createDirectories(dir.resolve("strange"));
    Files.writeString(folder.resolve("retain_perturbed.json"), "{\"question\":\"a\",\"answer\":\"b\",\"wrong\":[\"c\"]}\n");
    Ended ended = assess("refused", "--tofu", folder);
    assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
    assertTrue(ended.err().contains("retain_perturbed.json:1: a field is not one of TOFU's"), ended::toString);
    assertFalse(Files.exists(dir.resolve("refused")));
  }
}
