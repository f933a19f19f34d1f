package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.terminal.ExitCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training on the mean over tokens, and unlearning from it. */
class LossMeanCommandTest {
  @TempDir private Path dir;
  private Workplace place;

  @BeforeEach
  void rowsOfManyLengths() {
    place = new Workplace(dir);
    place.write(
        "data.jsonl",
        List.of(
            "{\"id\":\"a\",\"input_ids\":[1,5,6,2],\"labels\":[-100,-100,6,2]}",
            "{\"id\":\"b\",\"input_ids\":[1,7,8,9,4,11,2],\"labels\":[-100,-100,8,9,4,11,2]}",
            "{\"id\":\"c\",\"input_ids\":[1,12,13,5,2],\"labels\":[-100,-100,13,5,2]}",
            "{\"id\":\"d\",\"input_ids\":[1,14,2],\"labels\":[-100,14,2]}",
            "{\"id\":\"e\",\"input_ids\":[1,15,16,7,8,2],\"labels\":[-100,-100,16,7,8,2]}"));
  }

  private Path train(String name, Object... more) {
    return place.adapter(name, Stream.concat(
        Stream.of("--row-key", place.key, "--trajectory-dtype", "f32"),
        Stream.of(more)).toArray());
  }

  private Cli.Ended unlearn(Path adapter, String method, Object... more) {
    Object[] words = {
      "unlearn", "--model", place.model, "--adapter", adapter, "--data", place.data, "--forget", "b", "--method",
      method, "--device", "reference", "--out", place.at(method)
    };
    return Cli.run(Stream.concat(Stream.of(words), Stream.of(more)).toArray());
  }

  private static byte[] weights(Path adapter) throws IOException {
    return Files.readAllBytes(adapter.resolve("adapter_model.safetensors"));
  }

  @Test
  void recordSaysItAndUnlearningFollowsIt() throws IOException {
    Path rows = train("rows");
    Path tokens = train("tokens", "--loss-mean", "tokens");
    String record = Files.readString(tokens.resolve("lethe_training.json"));
    assertTrue(record.contains("\"loss_mean\""), record);
    assertFalse(Arrays.equals(weights(rows), weights(tokens)));
    for (String method : List.of("exact", "recorded")) {
      Cli.Ended ended = unlearn(tokens, method, "--force");
      assertEquals(ExitCode.DONE, ended.code(), ended::toString);
      String certificate = Files.readString(place.at(method).resolve("lethe_certificate.json"));
      assertTrue(certificate.contains("loss mean"), certificate);
    }
    Path without = train("without", "--loss-mean", "tokens", "--without", "b");
    assertArrayEquals(weights(without), weights(place.at("exact")));
  }

  @Test
  void whatWorksOnTheMeanOverRowsRefusesIt() {
    Path tokens = train("tokens", "--loss-mean", "tokens");
    for (String method : List.of("influence", "averaged")) {
      Cli.Ended ended = unlearn(tokens, method);
      assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
      assertTrue(ended.err().contains("loss_mean tokens"), ended.err());
      assertTrue(ended.err().contains("--method recorded or exact"), ended.err());
    }
    Cli.Ended minimum =
        Cli.run(
            "train", "--model", place.model, "--data", place.data, "--out", place.at("m"), "--device", "reference",
            "--loss-mean", "tokens", "--to-minimum", "1e-2");
    assertEquals(ExitCode.USAGE, minimum.code(), minimum::toString);
    Cli.Ended unknown =
        Cli.run(
            "train", "--model", place.model, "--data", place.data, "--out", place.at("m"), "--loss-mean", "words");
    assertEquals(ExitCode.USAGE, unknown.code(), unknown::toString);
    assertTrue(unknown.err().contains("rows or tokens"), unknown.err());
    ok("influence", "--model", place.model, "--adapter", train("rows"), "--data", place.data, "--query", place.data,
        "--device", "reference");
  }
}
