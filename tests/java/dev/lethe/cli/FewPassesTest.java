package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.nn.SeededModels;
import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/** Short work leaves a bfloat16 model's weights in their file, long work converts them, and both print the same. */
class FewPassesTest {
  private static final Pattern TENSORS = Pattern.compile("tensors ([\\d.]+) (k|M)B");

  /** Megabytes of the model's weights in float32. */
  private static final double WEIGHTS = 2.3;

  @TempDir private static Path dir;
  private static Workplace place;
  private static Path model;

  @BeforeAll
  static void write() throws IOException {
    place = new Workplace(dir);
    TinyModels.Dims dims = new TinyModels.Dims(2, 192, 320, 4, 2, 23, 64, "");
    model = TinyModels.writeConfig(dir.resolve("bfloat16"), dims);
    String config = Files.readString(model.resolve("config.json"));
    SeededModels.write(model, (ObjectNode) new ObjectMapper().readTree(config));
  }

  @Test
  void aSmallFileIsEvaluatedFromTheWeightsInTheirFile() {
    assertTrue(megabytes(evaluate(place.data)) < WEIGHTS / 2);
    assertTrue(megabytes(evaluate(place.data, "--weights", "f32")) > WEIGHTS);
    assertEquals(evaluate(place.data, "--weights", "f32").out(), evaluate(place.data).out());
  }

  @Test
  void aLargeOneIsNot() {
    Path large = place.write("large.jsonl", Workplace.rows(200, 3));
    assertTrue(megabytes(evaluate(large)) > WEIGHTS);
    assertEquals(evaluate(large, "--weights", "bf16").out(), evaluate(large).out());
  }

  @Test
  void aFewTokensAreGeneratedFromThemToo() {
    assertTrue(megabytes(generate(16)) < WEIGHTS / 2);
    assertTrue(megabytes(generate(17)) > WEIGHTS);
    assertTrue(generate(17).out().startsWith(generate(16).out().strip() + ","));
  }

  /** A model in float32 has no smaller form. */
  @Test
  void otherWeightsAreConvertedAsBefore() {
    ok("evaluate", "--model", place.model, "--data", place.data, "--device", "cpu");
    ok("evaluate", "--model", place.model, "--data", place.data, "--device", "reference");
  }

  private static Cli.Ended evaluate(Path data, Object... more) {
    return run(List.of("evaluate", "--data", data), more);
  }

  private static Cli.Ended generate(int tokens) {
    return run(List.of("generate", "--prompt-ids", "1,5,7", "--ignore-eos", "--max-new-tokens", tokens));
  }

  private static Cli.Ended run(List<Object> words, Object... more) {
    List<Object> all = new ArrayList<>(words);
    all.addAll(List.of("--model", model, "--device", "cpu"));
    all.addAll(List.of(more));
    return ok(all.toArray());
  }

  private static double megabytes(Cli.Ended ended) {
    Matcher told = TENSORS.matcher(ended.err());
    assertTrue(told.find(), ended.err());
    return Double.parseDouble(told.group(1)) / (told.group(2).equals("k") ? 1000 : 1);
  }
}
