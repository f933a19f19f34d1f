package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows are read for unlearning as they were read for training, or refused. */
class PromptFormTest {
  private static final Path TOKENIZER = Path.of("tests", "resources", "tiny_tokenizer", "tokenizer.json");
  private static final String ROWS =
      """
      {"id":"a","question":"Who?","answer":"Ann"}
      {"id":"b","question":"What?","answer":"a cat"}
      {"id":"c","question":"Where?","answer":"at home"}
      """;

  @TempDir Path dir;

  private Path model;
  private Path data;

  @BeforeEach
  void prepare() throws IOException {
    model = TinyModels.writeFolder(dir.resolve("model"), TOKENIZER, 1);
    data = Files.writeString(dir.resolve("data.jsonl"), ROWS);
  }

  private Path trained(String trajectory) {
    Path out = dir.resolve("adapter");
    Workplace.ok(
        "train", "--model", model, "--data", data, "--out", out, "--device", "reference", "--rank", 2, "--lr", "0.01",
        "--epochs", 1, "--batch", 2, "--template", "qa", "--trajectory", trajectory);
    return out;
  }

  private Ended unlearn(Path adapter, String template) {
    return Cli.run(
        "unlearn", "--model", model, "--adapter", adapter, "--data", data, "--forget", "b", "--device", "reference",
        "--template", template, "--method", "influence", "--damping", "0.1", "--out", dir.resolve("out-" + template));
  }

  @ParameterizedTest
  @ValueSource(strings = {"on", "off"})
  void anotherTemplateIsRefusedAndBothAreNamed(String trajectory) {
    Path adapter = trained(trajectory);
    Ended other = unlearn(adapter, "plain");
    assertEquals(ExitCode.FAILED, other.code(), other::toString);
    assertTrue(other.err().contains("prompt form") && other.err().contains("--template"), other.err());
    Ended same = unlearn(adapter, "qa");
    assertEquals(ExitCode.DONE, same.code(), same::toString);
  }

  @Test
  void theRecordNamesTheForm() throws IOException {
    String record = Files.readString(trained("off").resolve("lethe_training.json"));
    assertTrue(record.contains("\"prompt_form\" : \"qa"), record);
  }
}
