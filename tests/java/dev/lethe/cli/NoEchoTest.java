package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Refusals of data name file, line and shape, never what a row says. */
class NoEchoTest {
  private static final String SECRET = "Ann_Secret_4821";

  @TempDir private static Path dir;
  private static Workplace place;

  @BeforeAll
  static void model() {
    place = new Workplace(dir);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "S",
        "{\"question\": S, \"answer\": \"b\"}",
        "{\"question\": \"a\", \"answer\": \"S",
        "{\"question\": \"a\\qS\", \"answer\": \"b\"}",
        "{\"question\": \"a\" S, \"answer\": \"b\"}",
        "{\"question\": [\"S\"], \"answer\": \"b\"}",
        "{\"question\": {\"S\": 1}, \"answer\": \"b\"}",
        "{\"question\": \"S\", \"answer\": 5}",
        "{\"question\": \"S\", \"answer\": null}",
        "{\"question\": \"S\"}",
        "{\"question\": \"S\", \"answer\": \"\"}",
        "{\"messages\": \"S\"}",
        "{\"messages\": [\"S\"]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": {\"x\": \"S\"}}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"S\"}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"S\", \"tool_calls\": [\"S\"]}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"S\"}, {\"role\": \"assistant\", \"weight\": \"S\", \"content\": \"S\"}]}",
        "{\"input_ids\": \"S\", \"labels\": [1]}",
        "{\"input_ids\": [\"S\"], \"labels\": [1]}",
        "{\"input_ids\": [1, 4, 5], \"labels\": [\"S\", 4, 5]}",
        "{\"input_ids\": [1, 4, 5], \"labels\": [-100, 4, 5], \"attention_mask\": \"S\"}",
        "{\"id\": {\"name\": \"S\"}, \"question\": \"a\", \"answer\": \"b\"}",
        "{\"id\": \"1\", \"instruction\": [\"S\"], \"output\": \"b\"}",
        "{\"conversations\": [{\"from\": \"human\", \"value\": [\"S\"]}]}",
        "[\"S\"]",
        "\"S\"",
        "{\"prompt\": \"S\", \"prompt\": \"S\", \"response\": \"c\"}",
      })
  void aRowThatCannotBeUsedIsNotShown(String row) {
    Path data = place.write("rows.jsonl", row.replace("S", SECRET) + "\n");
    Ended ended =
        Cli.run(
            "train", "--model", place.model, "--data", data, "--out", place.at("out"), "--device", "reference",
            "--max-steps", 1);
    assertNotEquals(0, ended.code(), ended::toString);
    assertTrue(ended.err().contains("rows.jsonl"), ended.err());
    assertFalse(ended.err().contains("Ann_Secret"), ended.err());
    assertFalse(ended.out().contains("Ann_Secret"), ended.out());
  }
}
