package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.TinyModels;
import dev.lethe.unlearn.baseline.Baselines;
import dev.lethe.unlearn.baseline.Setting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code lethe unlearn} with methods for comparison, on rows of text. */
class PublishedMethodsTest {
  private static final Path TOKENIZER = Path.of("tests", "resources", "tiny_tokenizer", "tokenizer.json");
  private static final String ROWS =
      """
      {"id":"a","question":"Who?","answer":"Ann"}
      {"id":"b","question":"What?","answer":"a cat"}
      {"id":"c","prompt":"Where? ","response":"at home"}
      {"id":"d","instruction":"Say where.","input":"","output":"at home"}
      {"id":"e","messages":[{"role":"user","content":"Why?"},{"role":"assistant","content":"So."}]}
      """;

  @TempDir Path dir;

  private Path model;
  private Path data;
  private Path adapter;

  @BeforeEach
  void prepare() throws IOException {
    model = TinyModels.writeFolder(dir.resolve("model"), TOKENIZER, 1);
    data = Files.writeString(dir.resolve("data.jsonl"), ROWS);
    adapter = dir.resolve("adapter");
    Workplace.ok(
        "train", "--model", model, "--data", data, "--out", adapter, "--device", "reference", "--rank", 2, "--lr",
        "0.01", "--epochs", 1, "--batch", 2);
  }

  private Ended unlearn(String out, Object... more) {
    Object[] base = {
      "unlearn", "--model", model, "--adapter", adapter, "--data", data, "--device", "reference", "--out",
      dir.resolve(out)
    };
    return Cli.run(Stream.concat(Stream.of(base), Stream.of(more)).toArray());
  }

  @Test
  void refusalsTakeThePlaceOfResponsesInEveryForm() {
    Ended ended = unlearn("idk", "--forget", "a,c,d,e", "--method", "idk-dpo", "--set", "lr=0.01,epochs=3");
    assertEquals(ExitCode.DONE, ended.code(), ended::toString);
    JsonNode page = StrictJson.read(dir.resolve("idk").resolve("lethe_certificate.json"), 1 << 20);
    assertEquals("idk-dpo", page.path("method").path("name").stringValue());
    assertEquals("0.01", page.path("method").path("settings").path("lr").stringValue());
    assertEquals("0.1", page.path("method").path("settings").path("beta").stringValue());
    assertEquals(1, page.path("cost").path("retraining").asInt(), "one row is left for one epoch");
  }

  @Test
  void theSameSeedGivesTheSameAdapter() throws IOException {
    for (String out : new String[] {"one", "two"}) {
      Ended ended = unlearn(out, "--forget", "a,b", "--method", "grad-diff", "--set", "lr=0.01", "--seed", 3);
      assertEquals(ExitCode.DONE, ended.code(), ended::toString);
    }
    assertEquals(
        -1,
        Files.mismatch(
            dir.resolve("one/adapter_model.safetensors"), dir.resolve("two/adapter_model.safetensors")));
  }

  @Test
  void whatDoesNotBelongIsRefused() {
    refused("bete", "--forget", "a", "--method", "npo", "--set", "bete=1");
    refused("goes without --curvature", "--forget", "a", "--method", "npo", "--damping", "1");
    refused("goes without --divisor", "--forget", "a", "--method", "npo", "--divisor", "shrink");
    refused("--set belongs", "--forget", "a", "--method", "influence", "--set", "beta=1");
    refused("gradient-ascent", "--forget", "a", "--method", "npi");
  }

  private void refused(String words, Object... options) {
    Ended ended = unlearn("refused", options);
    assertEquals(ExitCode.USAGE, ended.code(), ended::toString);
    assertTrue(ended.err().contains(words), ended.err());
    assertTrue(Files.notExists(dir.resolve("refused")), "nothing is written");
  }

  /** The table in docs/compare.md and the help know every method and every setting of its own. */
  @Test
  void everyMethodAndSettingIsDocumented() throws IOException {
    String page = Files.readString(Path.of("docs/compare.md"));
    String help = Cli.run("unlearn", "--help").out();
    for (String name : Baselines.names()) {
      assertTrue(page.contains("| `" + name + "` |"), name);
      assertTrue(help.contains(name), name);
      for (Setting setting : Baselines.settings(name)) {
        assertTrue(page.contains("`" + setting.name() + "`"), name + " " + setting.name());
      }
    }
  }
}
