package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** What is wrong with the input is said once, in words that help, and nothing is left behind. */
class BadInputTest {
  @TempDir private Path dir;
  private Workplace place;
  private Path adapter;

  @BeforeEach
  void open() {
    place = new Workplace(dir);
    adapter = place.adapter("adapter");
  }

  /** One way to be wrong: the words and the parts that the message must have. */
  private record Case(String name, int code, List<String> says, Object... args) {}

  private Object[] unlearn(Object... more) {
    Object[] base = {
      "unlearn", "--model", place.model, "--adapter", adapter, "--data", place.data, "--out",
      place.at("out"), "--device", "reference"
    };
    return Stream.concat(Stream.of(base), Stream.of(more)).toArray();
  }

  private Object[] evaluate(Path model, Path data) {
    return new Object[] {
      "evaluate", "--model", model, "--adapter", adapter, "--data", data, "--device", "reference",
      "--out", place.at("out")
    };
  }

  @Test
  void rowsThatCannotBeUsedHaveALineEachWithTheirPlace() {
    Ended ended =
        Cli.run(
            evaluateRows(
                "bad.jsonl", "{\"input_ids\":[1,\"x\"],\"labels\":[1,2]}", "{\"input_ids\":[1,2],\"labels\":[1,2]}",
                "{\"input_ids\":[1,2] \"labels\":[1,2]}"));
    List<String> lines = ended.err().lines().toList();
    assertEquals(4, lines.size(), ended.toString());
    assertTrue(lines.get(1).contains("bad.jsonl:1: field 'input_ids[1]'"), ended.toString());
    assertTrue(lines.get(2).contains("bad.jsonl:3:20: "), ended.toString());
  }

  private Object[] evaluateRows(String name, String... rows) {
    return evaluate(place.model, place.write(name, List.of(rows)));
  }

  @TestFactory
  Stream<DynamicTest> refusals() throws IOException {
    List<Case> cases = new ArrayList<>();
    cases.addAll(requests());
    cases.addAll(rows());
    cases.addAll(models());
    cases.addAll(outputsAndOptions());
    cases.addAll(bounds());
    return cases.stream().map(c -> DynamicTest.dynamicTest(c.name, () -> check(c)));
  }

  private List<Case> requests() {
    Path orphan = place.write("orphan.jsonl", List.of(Workplace.row("nobody", random())));
    return List.of(
        new Case("unknown id", 1, List.of("'row-99'", "12 rows"), unlearn("--forget", "row-99")),
        new Case(
            "the same id twice", 1, List.of("more than once", "'row-1'"),
            unlearn("--forget", "row-1,row-2,row-1")),
        new Case(
            "a replacement without its original", 1, List.of("'nobody'", "no original"),
            unlearn("--replace", orphan)),
        new Case(
            "a hole in the list", 1, List.of("between two commas"),
            unlearn("--forget", "row-1,,row-2")),
        new Case(
            "a request file that is not there", 1, List.of("absent.txt"),
            unlearn("--forget", "@" + place.at("absent.txt"))),
        new Case(
            "damping auto without a record", 1, List.of("lethe_training.json", "--damping"),
            withoutRecord()));
  }

  @Test
  void aNameOfAnOptionHasOneValue() {
    Ended ended = Cli.run(unlearn("--forget", "row-1", "--replace-field", "answer=a", "--replace-field", "answer=b"));
    assertEquals(2, ended.code(), ended.toString());
    assertTrue(ended.err().contains("--replace-field gives a name two values: answer=a, answer=b"), ended.toString());
  }

  private Object[] withoutRecord() {
    try {
      Path bare = Files.createDirectories(place.at("bare"));
      for (String name : List.of("adapter_config.json", "adapter_model.safetensors")) {
        Files.copy(adapter.resolve(name), bare.resolve(name));
      }
      return new Object[] {
        "unlearn", "--model", place.model, "--adapter", bare, "--data", place.data, "--out",
        place.at("out"), "--device", "reference", "--forget", "row-1", "--damping", "auto"
      };
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private List<Case> rows() {
    String longRow = "1" + ",3".repeat(80);
    return List.of(
        new Case(
            "a row longer than the context", 1, List.of("row 'a'", "64 tokens", "81 tokens"),
            evaluateRows(
                "long.jsonl",
                "{\"id\":\"a\",\"input_ids\":[%s],\"labels\":[%s]}".formatted(longRow, longRow))),
        new Case(
            "a row without supervision", 1, List.of("row 'b'", "supervised"),
            evaluateRows(
                "silent.jsonl", "{\"id\":\"b\",\"input_ids\":[1,3],\"labels\":[-100,-100]}")),
        new Case(
            "a token outside the vocabulary", 1, List.of("row 'c'", "99"),
            evaluateRows("wild.jsonl", "{\"id\":\"c\",\"input_ids\":[1,99],\"labels\":[1,99]}")),
        new Case(
            "text without a tokenizer", 1, List.of("row 'd'", "tokenizer"),
            evaluateRows("text.jsonl", "{\"id\":\"d\",\"question\":\"q\",\"answer\":\"a\"}")),
        new Case(
            "a line that is not JSON", 1, List.of("broken.jsonl:2"),
            evaluateRows("broken.jsonl", Workplace.row("ok", random()), "{\"id\":")),
        new Case(
            "no rows", 1, List.of("empty.jsonl", "no rows"), evaluateRows("empty.jsonl", "")),
        new Case(
            "a data set that is not there", 1, List.of("absent.jsonl"),
            evaluate(place.model, place.at("absent.jsonl"))));
  }

  private List<Case> models() throws IOException {
    Path truncated = copyOfModel("truncated");
    try (RandomAccessFile file =
        new RandomAccessFile(truncated.resolve("model.safetensors").toFile(), "rw")) {
      file.setLength(file.length() - 5);
    }
    Path pointer = copyOfModel("pointer");
    Files.writeString(
        pointer.resolve("model.safetensors"),
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n");
    Path wandering = copyOfModel("wandering");
    Files.delete(wandering.resolve("model.safetensors"));
    Files.writeString(
        wandering.resolve("model.safetensors.index.json"),
        "{\"metadata\":{},\"weight_map\":{\"model.norm.weight\":\"../model/model.safetensors\"}}");
    Path poisoned = copyOfModel("poisoned");
    poison(poisoned.resolve("model.safetensors"));
    TinyModels.Dims wide = new TinyModels.Dims(2, 24, 17, 6, 2, 23, 64, "");
    Path other = TinyModels.writeFolder(place.at("other"), wide, 1);
    Path strange =
        TinyModels.writeFolder(
            place.at("strange"),
            TinyModels.Dims.DEFAULT.withConfig("\"model_type\": \"gpt_neox\""),
            1);
    return List.of(
        new Case(
            "truncated weights", 1, List.of("model.safetensors"), evaluate(truncated, place.data)),
        new Case(
            "a Git-LFS pointer", 1, List.of("model.safetensors", "LFS"),
            evaluate(pointer, place.data)),
        new Case(
            "a shard outside its folder", 1, List.of("../model/model.safetensors"),
            evaluate(wandering, place.data)),
        new Case("NaN in weights", 1, List.of("tensor '"), evaluate(poisoned, place.data)),
        new Case(
            "an adapter for another base model", 1, List.of("adapter", "expected", "got"),
            evaluate(other, place.data)),
        new Case("an unknown family", 1, List.of("gpt_neox"), evaluate(strange, place.data)),
        new Case(
            "a model that is not there", 1, List.of("absent"),
            evaluate(place.at("absent"), place.data)));
  }

  private List<Case> outputsAndOptions() {
    Object[] exists = unlearn("--forget", "row-1");
    exists[8] = adapter;
    return List.of(
        new Case("an output that exists", 1, List.of("exists already"), exists),
        new Case(
            "an output below a file", 1, List.of("data.jsonl"),
            "gradients", "--model", place.model, "--adapter", adapter, "--data", place.data,
            "--out", place.data.resolve("g"), "--device", "reference"),
        new Case(
            "resuming what never began", 1, List.of("no unfinished run"),
            unlearn("--forget", "row-1", "--resume")),
        new Case(
            "an unknown option", 2, List.of("--forgte", "--help"), unlearn("--forgte", "row-1")),
        new Case("a missing option", 2, List.of("--data"), "evaluate", "--model", place.model),
        new Case("an unknown command", 2, List.of("forget"), "forget"),
        new Case("no command", 2, List.of("lethe --help")),
        new Case(
            "a damping that is no number", 2, List.of("--damping"),
            unlearn("--forget", "row-1", "--damping", "some")),
        new Case(
            "an unknown solver", 2, List.of("--solver", "llmeraser-released"),
            unlearn("--forget", "row-1", "--solver", "gauss")),
        new Case(
            "certificate rows that are no number", 2, List.of("--certificate-rows"),
            unlearn("--forget", "row-1", "--certificate-rows", "some")),
        new Case(
            "drawn certificate rows of several outer steps", 2, List.of("--certificate-rows", "all"),
            unlearn("--forget", "row-1", "--certificate-rows", "3", "--outer-steps", "2")),
        new Case(
            "an unknown device", 3, List.of("device abacus", "reference"),
            "selftest", "--device", "abacus"),
        new Case(
            "a format that the device has not", 3, List.of("f64", "bf16"),
            "selftest", "--device", "reference", "--dtype", "bf16"));
  }

  /** Numbers outside their bounds: the option is named with its bounds, and nothing was opened. */
  private List<Case> bounds() {
    return List.of(
        bound("--threads", "20000"),
        bound("--threads", "-1"),
        bound("--max-length", "0"),
        bound("--batch-tokens", "0"),
        bound("--template", "haiku"),
        bound("--l2", "1e30"),
        bound("--damping", "Infinity"),
        bound("--tolerance", "1"),
        bound("--max-iterations", "0"),
        bound("--curvature", "gaussian"),
        bound("--curvature-rows", "-1"),
        bound("--outer-steps", "0"),
        bound("--trajectory", "some"),
        bound("--divisor", "half"),
        trainBound("--alpha", "-4"),
        trainBound("--alpha", "NaN"),
        trainBound("--rank", "0"),
        trainBound("--dropout", "1"),
        trainBound("--targets", "q_proj,q_proj"),
        trainBound("--targets", "no_proj"),
        trainBound("--targets", "q_proj,no_proj"),
        trainBound("--lr", "Infinity"),
        trainBound("--epochs", "0"),
        trainBound("--batch", "0"),
        trainBound("--clip", "-1"),
        trainBound("--momentum", "0.5"),
        trainBound("--to-minimum", "Infinity"),
        trainBound("--trajectory-dtype", "f16"),
        trainBound("--hidden-states", place.data.resolve("below").toString()));
  }

  private Case bound(String option, String value) {
    return new Case(option + " " + value, 2, List.of("lethe: " + option), unlearn("--forget", "row-1", option, value));
  }

  private Case trainBound(String option, String value) {
    return new Case(
        "train " + option + " " + value, 2, List.of("lethe: " + option),
        "train", "--model", place.model, "--data", place.data, "--out", place.at("out"), "--device", "reference",
        option, value);
  }

  private void check(Case c) {
    List<Path> before = place.listing();
    Ended ended = Cli.run(c.args);
    assertEquals(c.code, ended.code(), ended::toString);
    c.says.forEach(part -> assertTrue(ended.err().contains(part), part + " in " + ended));
    assertFalse(ended.err().contains("\tat "), () -> "a stack trace: " + ended);
    assertFalse(ended.err().contains("bug in Lethe"), ended::toString);
    assertEquals("", ended.out(), "standard output holds results only");
    assertEquals(before, place.listing(), "something was left behind");
  }

  @Test
  void aFullDiskIsSaidAndNothingIsHalfWritten() {
    Path full = Path.of("/dev/full");
    org.junit.jupiter.api.Assumptions.assumeTrue(
        Files.exists(full), "skipped: no /dev/full on this system");
    Ended ended =
        Cli.run(
            "gradients", "--model", place.model, "--adapter", adapter, "--data", place.data, "--out",
            full.resolve("g.safetensors"), "--device", "reference");
    assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
    assertTrue(ended.err().contains("/dev/full"), ended.err());
  }

  private Path copyOfModel(String name) throws IOException {
    Path copy = Files.createDirectories(place.at(name));
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(place.model.resolve(file), copy.resolve(file));
    }
    return copy;
  }

  /** Puts a NaN at the end of the weights, which are F32. */
  private static void poison(Path weights) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
      file.seek(file.length() - 4);
      file.write(new byte[] {0, 0, (byte) 0xC0, 0x7F});
    }
  }

  private static SplittableRandom random() {
    return new SplittableRandom(4);
  }
}
